"""Bodies that come in as YAML: taken as bytes, because a ticket is kept and hashed exactly as it was handed in."""

from typing import Annotated, Any

from fastapi import Depends, Request

from controller.api.problems import UnsupportedMediaType

_YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})


async def _yaml_body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _YAML_TYPES:
        raise UnsupportedMediaType("request.not_yaml", media_type=media_type or "-")
    return await request.body()


YamlBody = Annotated[bytes, Depends(_yaml_body)]


def yaml_request(description: str) -> dict[str, Any]:
    """Return the description of such a body for OpenAPI."""
    schema = {"type": "string", "description": description}
    return {"requestBody": {"required": True, "content": {"application/yaml": {"schema": schema}}}}
