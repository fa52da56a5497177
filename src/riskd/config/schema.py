"""The JSON schema of a configuration, so that an editor completes it and marks mistakes while they are typed."""

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from riskd.config.models import Config, OverrideConfig, RuleEntryConfig
from riskd.rules.params import RuleParams
from riskd.rules.registry import rule_class, rule_names

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MODE: JsonSchemaMode = "validation"
_BRANCHED = (RuleEntryConfig, OverrideConfig)

JsonObject = dict[str, object]


def config_schema() -> JsonObject:
    """Return the schema of config.json, with the parameters of every installed rule."""
    params = {name: rule_class(name).Params for name in rule_names()}
    references, shared = models_json_schema(
        [(Config, _MODE), *((model, _MODE) for model in params.values())], by_alias=True
    )
    definitions: dict[str, JsonObject] = shared["$defs"]
    branches = [_branch(name, references[model, _MODE]) for name, model in params.items()]
    for model in _BRANCHED:
        entry = definitions[model.__name__]
        entry["allOf"] = branches if model is RuleEntryConfig else [_named(list(params))]
    config = definitions.pop(Config.__name__)
    return {"$schema": DIALECT, **config, "title": "riskd configuration", "$defs": definitions}


def params_schema(params: type[RuleParams]) -> JsonObject:
    """Return the schema of one rule's parameters."""
    return params.model_json_schema(mode=_MODE)


def _branch(name: str, reference: JsonObject) -> JsonObject:
    """Return what holds for an entry of one rule: its parameters are that rule's."""
    return {
        "if": {"properties": {"rule": {"const": name}}, "required": ["rule"]},
        "then": {"properties": {"params": reference}},
    }


def _named(names: list[str]) -> JsonObject:
    # An override gives only what it changes, so required parameters are not required here.
    return {"properties": {"rule": {"enum": names}}}
