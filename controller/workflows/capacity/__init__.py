"""What-if: questions to the capacity of the platform that change nothing."""
