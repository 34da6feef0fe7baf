"""What Headgate serves when it is given no configuration."""

from collections.abc import Mapping

from headgate.config._completion import complete_general, complete_litellm, complete_router
from headgate.config._findings import Findings
from headgate.config._models import ModelEntry, ModelInfo, ModelParameters, entry_id
from headgate.config._providers import detected_providers
from headgate.config._settings import Configuration, GeneralSettings, LitellmSettings, RouterSettings
from headgate.core.errors import ConfigurationError


def embedded_default(environ: Mapping[str, str]) -> Configuration:
    """Return a configuration with the built-in `demo` model and a wildcard group per provider with credentials.

    With OPENAI_API_KEY set, for example, every model of OpenAI's answers to `openai/<name>`. Raises
    `ConfigurationError` when a variable of the environment has no valid value.
    """
    findings = Findings()
    models = [_entry("demo", {"model": "demo/demo"})]
    for provider, parameters in detected_providers(environ).items():
        models.append(_entry(f"{provider}/*", {"model": f"{provider}/*", **parameters}))
    litellm = LitellmSettings()
    configuration = Configuration(
        models=tuple(models),
        router=complete_router(RouterSettings(), litellm, environ, findings),
        litellm=complete_litellm(litellm, environ, findings),
        general=complete_general(GeneralSettings(), environ, findings),
        environ=dict(environ),
    )
    if findings.fatal:
        raise ConfigurationError([str(finding) for finding in findings])
    return configuration


def _entry(name: str, parameters: Mapping[str, str]) -> ModelEntry:
    info = ModelInfo.model_validate({"id": entry_id(name, parameters, 0)})
    return ModelEntry(model_name=name, parameters=ModelParameters.model_validate(dict(parameters)), info=info)
