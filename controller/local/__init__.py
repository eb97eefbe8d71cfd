"""Commands that work beside the state itself and not through the API: ``init``, ``serve``, ``db``, ``doctor`` and the like."""
