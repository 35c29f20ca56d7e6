"""Which addresses are refused by which rule, however they are written or dressed. Pure: nothing is called."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.addresses import faces, rule_of, written
from app.core.errors import AddressRefused, InvalidField
from app.core.registration import parse_registration
from app.core.targets import SAYS, USUAL, Targets, compile_targets
from app.upstream.lookup import written_address
from tests.security.dressing import DRESSES, MORE_DRESSES, NOTATIONS

PUBLIC = compile_targets((), (), False, 8007)
OWN = compile_targets((), (), True, 8007)

# Refused wherever the server listens and whatever the lists say.
NEVER = {
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",
    "100.100.100.200": "metadata",
    "168.63.129.16": "metadata",
    "192.0.0.192": "metadata",
    "[fd00:ec2::254]": "metadata",
    "[fd20:ce::254]": "metadata",
    "metadata.google.internal": "metadata",
    "METADATA.Google.Internal.": "metadata",
    "169.254.0.1": "link-local",
    "169.254.255.255": "link-local",
    "[fe80::1]": "link-local",
    "[fe80::1%25eth0]": "link-local",
    "[fe80::1%1]": "link-local",
    "[febf::1]": "link-local",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "0": "unspecified",
    "0x0": "unspecified",
    "[::]": "unspecified",
    "[::%25lo]": "unspecified",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "[ff02::1]": "multicast",
    "[ff02::1%25eth0]": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "[100::1]": "reserved",
    "[4000::1]": "reserved",
    "[2001:1::1]": "reserved",
    "[::2]": "unspecified",
}
# Refused where others reach the server, unless a list names them.
OWN_NETWORK = {
    "127.0.0.1": "loopback",
    "127.255.0.3": "loopback",
    "127.1": "loopback",
    "2130706433": "loopback",
    "localhost": "loopback",
    "LocalHost.": "loopback",
    "[::1]": "loopback",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "private",
    "198.18.0.1": "private",
    "203.0.113.1": "private",
    "[fc00::1]": "private",
    "[fdff::1]": "private",
    "[fec0::1]": "private",
    "[2001:db8::1]": "private",
    "[64:ff9b:1::8.8.8.8]": "private",
    "[64:ff9b:1:808:8:800::]": "private",
}
OPEN = ["8.8.8.8", "172.32.0.1", "100.128.0.1", "169.253.0.1", "1.1", "[2606:4700::1111]", "api.openai.com", "a.local"]
OPEN += ["metadata.google.internal.example", "[64:ff9b::8.8.8.8]", "0.0.0.0.example"]


def rule(host: str, targets: Targets, port: int = 80) -> str | None:
    refused = targets.refusal_in(f"http://{host}:{port}/v1")
    return refused.rule if refused else None


@pytest.mark.parametrize(("host", "refused_by"), NEVER.items())
def test_what_nobody_may_call(host: str, refused_by: str) -> None:
    opened = compile_targets(("0.0.0.0/0", "::/0", "*.internal"), (), True, 8007)
    assert {rule(host, targets) for targets in (USUAL, PUBLIC, opened)} == {refused_by}


@pytest.mark.parametrize(("host", "refused_by"), OWN_NETWORK.items())
def test_the_own_network(host: str, refused_by: str) -> None:
    assert rule(host, PUBLIC) == refused_by
    assert rule(host, OWN) is None
    named = compile_targets(("0.0.0.0/0", "::/0"), (), False, 8007)
    assert rule(host, named) is None
    assert rule(host, compile_targets((), ("0.0.0.0/0", "::/0"), True, 8007)) == "denied"


@pytest.mark.parametrize("host", OPEN)
def test_the_world(host: str) -> None:
    assert rule(host, PUBLIC) is None


ADDRESSES = st.one_of(
    st.sampled_from(["169.254.169.254", "127.0.0.1", "10.0.0.1", "0.0.0.0", "224.0.0.1", "8.8.8.8"]).map(IPv4Address),
    st.sampled_from([0x7F000000, 0xA9FE0000, 0x0A000000, 0xC0A80000, 0xE0000000, 0x64400000]).flatmap(
        lambda first: st.integers(first, first + 0xFFFF).map(IPv4Address)
    ),
    st.integers(0, 2**32 - 1).map(IPv4Address),
)


@given(ip=ADDRESSES, dress=st.sampled_from([*MORE_DRESSES]))
def test_no_dress_opens_what_is_refused(ip: IPv4Address, dress: str) -> None:
    assume(rule_of(ip) is not None)
    host = MORE_DRESSES[dress](ip)
    # Of an IPv4 address inside of another that is zero at its begin nobody can tell how long it is.
    assume(ip.packed[0] != 0 or not dress.startswith("NAT64 of a site"))
    refused = PUBLIC.refusal_in(f"http://{host}/")
    assert refused is not None
    if dress in DRESSES:
        assert (refused.rule, refused.dress) == (rule_of(ip), dress)
    opened = compile_targets(("0.0.0.0/0", "::/0"), (), True, 8007)
    assert (rule(host, opened) is None) <= (rule(str(ip), opened) is None)


@given(ip=ADDRESSES, dress=st.sampled_from([*DRESSES]))
def test_a_dress_alone_is_no_fault_and_lists_name_what_is_in_it(ip: IPv4Address, dress: str) -> None:
    host = DRESSES[dress](ip)
    assert rule(host, PUBLIC) == rule(str(ip), PUBLIC)
    for targets in compile_targets((f"{ip}/32",), (), False, 1), compile_targets((), (f"{ip}/32",), True, 1):
        assert rule(host, targets) == rule(str(ip), targets)


@given(ip=ADDRESSES, notation=st.sampled_from([*NOTATIONS]))
def test_no_notation_hides_an_address(ip: IPv4Address, notation: str) -> None:
    host = NOTATIONS[notation](ip)
    assert written(host) == ip
    assert rule(host, PUBLIC) == rule(str(ip), PUBLIC)


@given(st.text("0123456789xXabf.:%[]", max_size=24) | st.from_regex(r"\A(0x?[0-9a-f]{0,9}\.?){1,5}\Z"))
def test_digits_are_read_as_the_system_reads_them(host: str) -> None:
    """What the system takes for an address in digits is one here, too: nothing is left to the connect alone."""
    known = written_address(host) if host.rstrip(".") != "localhost" else ()
    for address in known:
        assert written(host) == ip_address(address.host.partition("%")[0])


@given(
    st.integers(0, 2**128 - 1)
    | st.sampled_from([0x2001 << 112, 0xFE80 << 112, 0xFC00 << 112]).flatmap(
        lambda first: st.integers(first, first + 2**112 - 1)
    )
)
def test_what_python_knows_to_be_special_is_refused(number: int) -> None:
    """A second opinion: every IPv6 address that ipaddress would not call global is refused, unless it is a dress."""
    ip = IPv6Address(number)
    if not ip.is_global and all(face.ip == ip for face in faces(str(ip))):
        assert rule(f"[{ip}]", PUBLIC) is not None
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        assert rule(f"[{ip}]", OWN) is not None


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_what_python_knows_to_be_special_of_ipv4(ip: IPv4Address) -> None:
    assert (rule(str(ip), PUBLIC) is not None) >= (not ip.is_global)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.9.9.9", "[::ffff:127.0.0.1]", "0x7f000001"])
def test_the_own_port(host: str) -> None:
    assert rule(host, OWN, 8007) == "own-port"
    assert rule(host, compile_targets(("127.0.0.0/8", "::1", "localhost"), (), True, 8007), 8007) == "own-port"
    assert rule(host, OWN, 8008) is None
    assert rule(host, compile_targets((), (), True, 0).listening([8008]), 8008) == "own-port"


def test_the_usual_ports_are_told_from_the_scheme() -> None:
    assert OWN.listening([80]).refusal_in("http://localhost/") is not None
    assert OWN.listening([80]).refusal_in("https://localhost/") is None
    assert OWN.listening([443]).refusal_in("https://localhost/") is not None


LISTS = [
    ("api.example", (), ("api.example",), "denied"),
    ("API.Example.", (), ("api.example",), "denied"),
    ("api.example", (), ("*.example",), "denied"),
    ("example", (), ("*.example",), None),
    ("notexample", (), ("*example",), "?"),
    ("xn--bcher-kva.example", (), ("bücher.example",), "denied"),
    ("xn--bcher-kva.example", (), ("BÜCHER.example.",), "denied"),
    ("api.example.evil", (), ("api.example",), None),
    ("10.1.2.3", ("10.1.0.0/16",), (), None),
    ("10.2.2.3", ("10.1.0.0/16",), (), "private"),
    ("10.1.2.3", ("10.1.0.0/16",), ("10.1.2.3",), "denied"),
    ("[fd00::1]", ("fd00::/8",), (), None),
    ("[fd00::1]", ("[fd00::1]",), (), None),
    ("localhost", ("localhost",), (), None),
    ("127.0.0.1", ("localhost",), (), "loopback"),
    ("8.8.8.8", (), ("*",), "not-allowed"),
    ("8.8.8.8", ("8.8.8.8",), ("*",), None),
    ("10.0.0.1", ("8.8.8.8",), ("*",), "private"),
]


@pytest.mark.parametrize(("host", "allow", "deny", "refused_by"), LISTS)
def test_the_operators_lists(host: str, allow: tuple[str, ...], deny: tuple[str, ...], refused_by: str | None) -> None:
    if refused_by == "?":
        with pytest.raises(ValueError, match="is not an address"):
            compile_targets(allow, deny, False, 0)
    else:
        assert rule(host, compile_targets(allow, deny, False, 0)) == refused_by


def test_a_name_that_is_allowed_opens_its_private_addresses_and_no_others() -> None:
    targets = compile_targets(("ollama", "*.lan"), ("10.9.0.0/16",), False, 8007)
    told = {
        ("10.0.0.1", "ollama"): None,
        ("10.0.0.1", "Ollama."): None,
        ("10.0.0.1", "gpu.lan"): None,
        ("10.0.0.1", "lan"): "private",
        ("127.0.0.1", "gpu.lan"): None,
        ("10.9.0.1", "gpu.lan"): "denied",
        ("169.254.169.254", "gpu.lan"): "metadata",
        ("fe80::1%eth0", "gpu.lan"): "link-local",
        ("::ffff:0.0.0.0", "gpu.lan"): "unspecified",
        ("64:ff9b::a00:1", "gpu.example"): "private",
        ("no address", "gpu.lan"): "no-address",
    }
    for (address, host), refused_by in told.items():
        refused = targets.refusal(address, host, 80)
        assert (refused and refused.rule) == refused_by, (address, host)
    only = compile_targets(("api.example",), ("*",), True, 8007)
    assert only.refusal("8.8.8.8", "api.example", 443) is None
    assert only.refusal("8.8.8.8", "other.example", 443).rule == "not-allowed"  # type: ignore[union-attr]


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "10.0.0", "http://a", "a:80", "a b", "*", "*.*", "a..b", "::g", "1"])
def test_a_list_that_cannot_be_read_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValueError, match=rf"ROLLCALL_OUTGOING_ALLOW holds '{re.escape(entry)}', which is not"):
        compile_targets((entry,), (), True, 0)


def test_every_rule_says_what_it_is_and_no_address() -> None:
    for refused in (PUBLIC.refusal("10.77.0.1", "a.example", 80), PUBLIC.refusal("64:ff9b::a4d:1", "a.example", 80)):
        assert refused is not None
        assert "the rule private" in refused.clause
        assert "10.77" not in refused.clause
        assert "ROLLCALL_OUTGOING_ALLOW" in refused.clause
    assert {*NEVER.values(), *OWN_NETWORK.values(), "own-port", "denied", "not-allowed", "no-address"} == set(SAYS)


PLACES = {
    "req_url_template": {},
    "stream.req_url_template": {"stream": {"framing": "sse", "delta_extract": "a"}},
    "health.req_url_template": {"health": {}},
    "auth.req_url_template": {"auth": {"token_extract": "t"}},
    "job.req_url_template": {"job": {"id_extract": "id", "done_when": {"a": "b"}, "result_extract": "r"}},
    "job.result_template": {
        "job": {"id_extract": "id", "req_url_template": "http://h/{JOB_ID}", "done_when": {"a": "b"}}
    },
}


@pytest.mark.parametrize(("place", "host"), [*product(PLACES, ["2852039166", "[fe80::1%25eth0]"])])
def test_every_url_of_a_registration_is_looked_at(place: str, host: str) -> None:
    raw = {"model_name": "m", "req_url_template": "http://h/x", "body": {"p": "{USER_PROMPT}"}}
    block, _, word = place.rpartition(".")
    bad = {word: f"http://{host}/latest/{{JOB_ID}}" if block == "job" else f"http://{host}/latest"}
    raw |= {block: {**PLACES[place][block], **bad}} if block else bad
    with pytest.raises(InvalidField) as caught:
        parse_registration(raw, lambda name: True)
    assert isinstance(caught.value, AddressRefused), caught.value.message
    assert (caught.value.status, caught.value.code, caught.value.field) == (400, "address_refused", place)
    assert caught.value.message.startswith(f"{place}: its host is refused by the rule ")


@pytest.mark.parametrize(
    "url", ["http://a@169.254.169.254/", "http://h\\@10.0.0.1/", "http://１２７.0.0.1/", "http://h#@a/"]
)
def test_what_two_readers_of_urls_would_read_differently_is_no_url(url: str) -> None:
    with pytest.raises(InvalidField):
        parse_registration({"model_name": "m", "req_url_template": url, "body": {"p": "{USER_PROMPT}"}}, bool)
