#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate
short_description: Put a certificate of a stack in force
version_added: 0.1.0
description:
  - Checks a certificate and its key, stores them where only root can read them, and makes the
    balancer serve them by a reload that costs no request.
  - A certificate that has ended or has not begun, whose chain is out of order, or that does not
    belong to its key is refused, with nothing changed.
  - Before the first deploy, the certificate waits for the first configuration.
  - Also tells which certificate is in force, and whether another one is due.
  - With O(mode=self_signed), a new one is made where the present one is due. With O(mode=acme),
    what is there is kept, or a self-signed one made until the first order, unless
    O(certificate_path) brings the ordered one.
  - The last three certificates are kept.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
    details: On a host without C(cryptography), a certificate cannot be checked, which is a warning.
  diff_mode:
    description: Names the certificate before and after, never a key.
    support: full
  idempotent:
    description: A certificate that is in force already is left alone.
    support: full
requirements:
  - "cryptography 3.4 or newer on the managed host (Debian: python3-cryptography)"
options:
  look_only:
    description: Only tell what is in force, and whether another one is due.
    type: bool
    default: false
  mode:
    description: Where it comes from. By default as in the release in force.
    type: str
    choices: [none, self_signed, provided, acme]
  names:
    description: Host names that it should be for. By default as in the release in force.
    type: list
    elements: str
  directory:
    description: The ACME server's directory. By default as in the release in force.
    type: str
  renew_days:
    description: Days before its end from which an ACME server's certificate is due. By default as
      in the release in force.
    type: int
  renew:
    description: Make a new self-signed one even if it is not due.
    type: bool
    default: false
  certificate:
    description: The certificate and its chain, PEM.
    type: str
  key:
    description: Its private key, PEM.
    type: str
  certificate_path:
    description: In place of O(certificate), a file on the host.
    type: path
  key_path:
    description: In place of O(key), a file on the host.
    type: path
"""

EXAMPLES = r"""
- name: Put a certificate in force
  digiz.load_balancing.certificate:
    stack: chatbot
    mode: provided
    certificate: "{{ lookup('ansible.builtin.file', 'chat.example.com.pem') }}"
    key: "{{ lookup('ansible.builtin.file', 'chat.example.com.key') }}"

- name: See how long the present one lasts
  digiz.load_balancing.certificate:
    stack: chatbot
    look_only: true
  register: present
"""

RETURN = r"""
text:
  description: What is in force now, in words.
  returned: success
  type: str
  sample: for chat.example.com, 89 days left, from this host itself
digest:
  description: The name of its folder in C(/opt/<stack>/nginx/tls).
  returned: success
  type: str
  sample: 0c1b2a3948576655
certificate_names:
  description: The names that it is for.
  returned: success
  type: list
  elements: str
not_after:
  description: When it ends, in UTC.
  returned: success
  type: str
  sample: "2026-02-23T19:00:00Z"
days_left:
  description: Whole days until then.
  returned: success, if there is one
  type: int
due:
  description: Whether another one is due. One that the operator provides never is.
  returned: success
  type: bool
reason:
  description: Why it is due.
  returned: success
  type: str
  sample: the present one has 12 days left
spec:
  description: What certificates of this stack are made or ordered by.
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_spec import (
    CertificateSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_work import (
    CertificateWork,
    Outcome,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

SPEC = ("mode", "names", "directory", "renew_days")
OPTIONS: dict[str, Any] = {
    "stack": {"type": "str", "required": True},
    "look_only": {"type": "bool", "default": False},
    "mode": {"type": "str", "choices": ["none", "self_signed", "provided", "acme"]},
    "names": {"type": "list", "elements": "str"},
    "directory": {"type": "str", "no_log": False},
    "renew_days": {"type": "int"},
    "renew": {"type": "bool", "default": False},
    "certificate": {"type": "str"},
    "key": {"type": "str", "no_log": True},
    "certificate_path": {"type": "path"},
    "key_path": {"type": "path", "no_log": False},
}


def specified(paths: StackPaths, given: dict[str, Any]) -> CertificateSpec:
    """What is asked for; what is left out is as in the release in force."""
    own = {name: given[name] for name in SPEC if given[name] is not None}
    if len(own) == len(SPEC):
        return CertificateSpec.from_mapping(own)
    return CertificateSpec.from_mapping({**Stack.read(paths).tls.as_dict(), **own})


def carry_out(work: CertificateWork, spec: CertificateSpec, given: dict[str, Any]) -> Outcome:
    """Do what is asked for."""
    if given["look_only"] or spec.mode == "none":
        return work.look()
    certificate = _text(given, "certificate")
    key = _text(given, "key")
    if certificate and key:
        return work.given(certificate, key)
    if spec.mode == "acme":
        return work.some()
    if spec.mode == "self_signed":
        return work.self_signed(given["renew"])
    raise LoadBalancingError(
        "tls_certificate: a value is needed with tls_mode=provided, and one for "
        "tls_certificate_key. Set the variables tls_certificate and tls_certificate_key."
    )


def _text(given: dict[str, Any], name: str) -> str:
    path = given[f"{name}_path"]
    if not path:
        return str(given[name] or "")
    text = read_text(path)
    if text is None:
        raise LoadBalancingError(f"{path} is missing on the host.")
    return text


def main() -> None:
    """Read the options, look or put in force, tell."""
    module = AnsibleModule(
        argument_spec=OPTIONS,
        supports_check_mode=True,
        required_together=[("certificate", "key"), ("certificate_path", "key_path")],
        mutually_exclusive=[("certificate", "certificate_path")],
    )
    paths = StackPaths(module.params["stack"])
    try:
        spec = specified(paths, module.params)
        before = CertificateWork(paths, spec).look()
        outcome = carry_out(CertificateWork(paths, spec, module.check_mode), spec, module.params)
    except (LoadBalancingError, ValueError) as error:
        module.fail_json(msg=str(error))
    for warning in outcome.warnings:
        module.warn(warning)
    header = f"certificate of {paths.name}"
    diff = {
        "before_header": header,
        "after_header": header,
        "before": f"{before.text}\n",
        "after": f"{outcome.text}\n" if outcome.changed else f"{before.text}\n",
    }
    module.exit_json(**outcome.as_dict(), spec=spec.as_dict(), diff=diff)


if __name__ == "__main__":
    main()
