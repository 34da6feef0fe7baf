"""Everything that Headgate would do for an environment, as files for the aws command line alone."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from json import dumps
from pathlib import Path

from headgate.deploy.ecs._packages import AUTHORITIES_URL
from headgate.deploy.ecs._stacks import CAPABILITIES, StackSpec
from headgate.deploy.rotation import AUTHORITIES_FILE, KEY_PREFIX

_PREAMBLE = """#!/bin/sh
# Creates or updates every stack, in order, and stops at the first that fails. Needs the aws command line, version 2,
# and curl and zip where the certificate authorities of RDS are still to be added to the rotation package.
# The image has to be in the repository before the gateway, and provider keys in the secret api-keys.
set -eu
cd "$(dirname "$0")"
export AWS_REGION={region} AWS_DEFAULT_REGION={region}
"""

_UPLOAD = """
bucket=$(aws cloudformation describe-stacks --stack-name {stack} \\
  --query "Stacks[0].Outputs[?OutputKey=='BucketName'].OutputValue" --output text)
"""

_AUTHORITIES = """
curl --fail --silent --show-error --output {file} {url}
zip --quiet {package} {file}
"""

_PREFIX = """
# The generated master key gets the prefix that clients know keys by. No value shows in the list of processes.
value=$(aws secretsmanager get-secret-value --secret-id {secret} --query SecretString --output text)
case "$value" in *{prefix}*) ;; *)
  printf '%s' "$value" | sed 's/"LITELLM_MASTER_KEY": *"/&{prefix}/' \\
    | aws secretsmanager put-secret-value --secret-id {secret} --secret-string file:///dev/stdin >/dev/null ;;
esac
unset value
"""

_LOGIN = """
# The first rotation makes the gateway's database users and completes the secret.
tries=0
until aws secretsmanager get-secret-value --secret-id {secret} --query SecretString --output text | grep -q DATABASE_URL
do
  tries=$((tries + 1))
  test "$tries" -lt 90 || {{ echo "{secret} has no DATABASE_URL: see the log of its rotation function." >&2; exit 1; }}
  sleep 10
done
"""


def render(
    specs: Sequence[StackSpec],
    region: str,
    directory: Path,
    objects: Mapping[str, bytes],
    without_authorities: Collection[str] = (),
) -> list[Path]:
    """Write templates, parameter files, objects of the bucket and a script with the commands; return what was written.

    For each stack `NAME.yaml` and `NAME.parameters.json`, in the form that `aws cloudformation deploy` reads. `objects`
    are what the stacks find in the bucket, by their names there; packages `without_authorities` get the certificate
    authorities of RDS by the script. Files that are there are overwritten. Raises `OSError` where the directory can not
    be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in objects.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    commands = [_PREAMBLE.format(region=shlex.quote(region))]
    for spec in specs:
        template, parameters = directory / f"{spec.template}.yaml", directory / f"{spec.template}.parameters.json"
        template.write_text(spec.body, encoding="utf-8")
        values = [f"{name}={value}" for name, value in sorted(spec.parameters.items())]
        parameters.write_text(dumps(values, indent=2) + "\n", encoding="utf-8")
        written += [template, parameters]
        commands += [_deploy(spec), *_between(spec, objects, without_authorities)]
    script = directory / "deploy.sh"
    script.write_text("\n".join(commands), encoding="utf-8")
    script.chmod(0o755)
    return [*written, script]


def _deploy(spec: StackSpec) -> str:
    tags = " ".join(shlex.quote(f"{key}={value}") for key, value in sorted(spec.tags.items()))
    lines = [
        f"aws cloudformation deploy --stack-name {spec.name} --no-fail-on-empty-changeset",
        f"  --template-file {spec.template}.yaml --parameter-overrides file://{spec.template}.parameters.json",
        f"  --capabilities {' '.join(CAPABILITIES)} --tags {tags}",
    ]
    protect = (
        f"aws cloudformation update-termination-protection --stack-name {spec.name} --enable-termination-protection\n"
    )
    return " \\\n".join(lines) + "\n" + (protect if spec.termination_protection else "")


def _between(spec: StackSpec, objects: Collection[str], without_authorities: Collection[str]) -> list[str]:
    """Return what has to be done after a stack, before the next."""
    secrets = f"{spec.parameters['Project']}/{spec.parameters['Environment']}"
    match spec.template:
        case "bootstrap":
            completed = (
                _AUTHORITIES.format(file=AUTHORITIES_FILE, url=AUTHORITIES_URL, package=name)
                for name in without_authorities
            )
            uploads = (f'aws s3 cp --only-show-errors {name} "s3://$bucket/{name}"\n' for name in objects)
            return [*completed, _UPLOAD.format(stack=spec.name), *uploads]
        case "security":
            return [_PREFIX.format(secret=f"{secrets}/master-key", prefix=KEY_PREFIX)]
        case "database":
            return [_LOGIN.format(secret=f"{secrets}/database")]
        case _:
            return []
