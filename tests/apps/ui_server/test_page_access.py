"""Nobody but the page itself, opened with the token, is answered."""

import socket

import pytest

STATE = "/api/state"


def test_the_address_that_is_printed_opens_the_page_and_the_cookie_does_the_rest(page):
    opened = page.client.get(page.running.access.address)
    assert opened.status_code == 200
    assert opened.headers["content-type"].startswith("text/html")
    cookie = opened.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    name = page.running.access.cookie
    with_cookie = page.client.get(page.url + STATE, headers={"Cookie": f"other=1; {name}={opened.cookies[name]}"})
    page.client.cookies.clear()
    assert with_cookie.status_code == 200
    assert page.client.get(page.url + STATE).status_code == 401


@pytest.mark.parametrize("path", ["/", STATE, "/static/index.html", "/api/pictures/1", "/nothing"])
@pytest.mark.parametrize("token", [None, "", "wrong", "\xfc\xff"])
def test_no_request_is_answered_without_the_token(page, path, token):
    headers = {} if token is None else {"X-Token": token.encode("latin-1"), "Cookie": f"{page.running.access.cookie}=x"}
    answer = page.client.get(page.url + path, params={"token": "wrong"}, headers=headers)
    assert answer.status_code == 401
    assert list(answer.json()) == ["error"]


def test_the_token_in_an_address_opens_nothing_but_the_page(page):
    assert page.client.get(page.url + STATE, params={"token": page.running.access.token}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", ""])
def test_requests_under_another_name_are_refused_though_they_have_the_token(page, host):
    host = host.format(port=page.running.access.port)
    assert "wrong host" in page.refusal(403, "GET", STATE, headers={"Host": host})


def test_a_request_with_two_host_names_or_none_is_refused(page):
    access = page.running.access
    good = f"Host: 127.0.0.1:{access.port}\r\n"
    for hosts in ("", good + "Host: evil.example\r\n"):
        with socket.create_connection(("127.0.0.1", access.port)) as connection:
            request = f"GET {STATE} HTTP/1.0\r\n{hosts}X-Token: {access.token}\r\n\r\n"
            connection.sendall(request.encode())
            assert b"".join(iter(lambda: connection.recv(4096), b"")).split(b" ")[1] in (b"400", b"403")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}", "http://localhost:{port}"],
)
@pytest.mark.parametrize(("method", "path"), [("GET", STATE), ("POST", "/api/jobs"), ("DELETE", "/api/pictures/1")])
def test_requests_of_other_origins_are_refused_though_they_have_the_token(page, origin, method, path):
    message = page.refusal(403, method, path, headers={"Origin": origin.format(port=page.running.access.port)})
    assert "other web pages" in message


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pictures_that_other_sites_embed_are_refused(page, site):
    page.refusal(403, "GET", "/api/pictures/1/view", headers={"Sec-Fetch-Site": site})


def test_the_page_itself_may_ask_by_either_of_its_names(page):
    port = page.running.access.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        assert page.ask("GET", STATE, headers=headers).status_code == 200


def test_no_site_is_allowed_to_read_answers_or_to_show_the_page_in_a_frame(page):
    answers = [page.ask("GET", "/"), page.ask("GET", STATE), page.client.get(page.url), page.ask("GET", "/nothing")]
    for answer in (*answers, page.ask("OPTIONS", "/api/jobs", headers={"Access-Control-Request-Method": "POST"})):
        assert not any(name.startswith("access-control") for name in answer.headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "name", ["../access.py", "..%2faccess.py", "%2e%2e/routes.py", "..%5caccess.py", "%2fetc%2fpasswd", "index.html%00"]
)
def test_only_files_of_the_page_are_sent(page, name):
    page.refusal(404, "GET", f"/static/{name}")


def test_there_are_no_pages_about_the_interface(page):
    for path in ("/docs", "/redoc", "/openapi.json"):
        page.refusal(404, "GET", path)


def test_the_server_listens_on_this_machine_alone(page):
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", page.running.access.port)) == 0
    with socket.socket() as other:
        other.settimeout(1)  # the whole of 127.0.0.0/8 leads to this machine
        assert other.connect_ex(("127.0.0.2", page.running.access.port)) != 0
