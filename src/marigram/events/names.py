"""What a name tells of its kind, and a hash to stand for the rest of it.

Some names give away more than who it is: test accounts, tools and simulators call themselves what they are. Such a
column can enter as kind and hash only: ``arn:aws:iam::1234:user/ann`` becomes ``iam:user#6f1c…``, which is the same
wherever the name is the same, and says nothing else.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from hashlib import blake2b

__all__ = ["hashed_name", "kind_of_name"]

_ARN = re.compile(r"arn:[^:]*:([a-z0-9-]+):[^:]*:[^:]*:([A-Za-z-]*)")
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9_.]{0,39})[:=].")
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com|googleapis\.com|azure\.com)")
_LENGTH = 8


@lru_cache(1 << 16)
def kind_of_name(name: str) -> str:
    """Return the kind of a name: what it is, without who it is.

    Amazon's resource names tell service and type, ``field:value`` the field, addresses their scope.

    Examples
    --------
    >>> kind_of_name("arn:aws:iam::123837392027:user/ann"), kind_of_name("arn:aws:s3:::logs-2023")
    ('iam:user', 's3')
    >>> kind_of_name("10.0.0.7"), kind_of_name("instanceId:i-0dbc"), kind_of_name("ec2.amazonaws.com")
    ('private address', 'instanceId', 'service')
    """
    if found := _ARN.match(name):
        service, kind = found.groups()
        typed = kind and name[found.end() : found.end() + 1] in ("/", ":")
        return f"{service}:{kind}" if typed else service
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        return "private address" if address.is_private else "address"
    if _SERVICE.fullmatch(name):
        return "service"
    if "@" in name:
        return "mail address"
    found = _FIELD.match(name)
    return found.group(1) if found else "name"


@lru_cache(1 << 16)
def hashed_name(name: str, salt: str = "") -> str:
    """Return ``kind#hash``: equal for equal names and salts, and silent about everything else.

    Examples
    --------
    >>> hashed_name("arn:aws:iam::123837392027:user/ann")
    'iam:user#e6e25089a27665e4'
    """
    digest = blake2b(name.encode(errors="surrogatepass"), key=salt.encode()[:64], digest_size=_LENGTH)
    return f"{kind_of_name(name)}#{digest.hexdigest()}"
