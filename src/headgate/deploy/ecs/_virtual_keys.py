"""The virtual key that Open WebUI gets from the gateway: it opens models and nothing else."""

import json

from headgate.deploy.engine import DeployError, Progress
from headgate.deploy.secrets import Entry, Vault, master_key
from headgate.deploy.verification import Web

MEMBER = "OPENAI_API_KEY"
"""What Open WebUI calls the key of the API that it talks to."""


def has_key(vault: Vault, entry: Entry) -> bool:
    """Tell whether a secret holds a key. Raises `SecretsError`."""
    return bool((vault.value(entry) or {}).get(MEMBER))


def give_key(vault: Vault, entry: Entry, url: str, alias: str, web: Web, progress: Progress) -> None:
    """Have the gateway at `url` make a virtual key, and keep it in a secret; does nothing where there is one.

    Raises `DeployError` when the gateway makes none.
    """
    if has_key(vault, entry):
        return
    progress(f"making the virtual key {alias}")
    held = dict(vault.value(entry) or {})
    vault.put(entry, {**held, MEMBER: _made(url, master_key(vault), alias, web)})


def _made(url: str, opener: str, alias: str, web: Web) -> str:
    wanted = {"key_alias": alias, "key_type": "llm_api"}
    headers = {"authorization": f"Bearer {opener}", "content-type": "application/json"}
    answer = web.ask("POST", f"{url}/key/generate", headers, json.dumps(wanted).encode())
    if answer.status == 404:
        raise DeployError(
            f"The gateway at {url} makes no virtual keys (404). LiteLLM's image does; otherwise set one with"
            " `headgate secrets set open-webui-key`."
        )
    try:
        made = json.loads(answer.body)
    except ValueError:
        made = None
    key = made.get("key") if isinstance(made, dict) else None
    if answer.status != 200 or not isinstance(key, str) or not key:
        taken = b"already exists" in answer.body
        advice = f"a key called {alias} exists already: delete it there" if taken else "its log says why"
        raise DeployError(f"The gateway at {url} did not make the virtual key {alias} ({answer.status}): {advice}.")
    return key
