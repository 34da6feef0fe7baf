"""Looking at a deployment from the outside, as its users do: what every platform has in common."""

from headgate.deploy.verification._gateway import Front, gateway_probes, page_probe
from headgate.deploy.verification._models import ServedModels, configured_models
from headgate.deploy.verification._probes import Probe, Result, run_probes
from headgate.deploy.verification._web import Answer, Internet, Web, WebError

__all__ = [
    "Answer",
    "Front",
    "Internet",
    "Probe",
    "Result",
    "ServedModels",
    "Web",
    "WebError",
    "configured_models",
    "gateway_probes",
    "page_probe",
    "run_probes",
]
