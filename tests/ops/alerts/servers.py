"""Real servers on this machine to send alerts to, good and bad: SMTP and HTTP, with or without TLS."""

import datetime
import ipaddress
import json
import socketserver
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mail(socketserver.BaseRequestHandler):
    """As much of RFC 5321 as smtplib speaks. The server's `manner` is how it misbehaves."""

    def handle(self):
        server = self.server
        server.connections += 1
        if server.manner == "silent":
            server.ended.wait(60)
        elif server.manner == "drips":  # a byte now and then: no single read ever times out
            while not server.ended.wait(0.2):
                self.request.sendall(b"2")
        elif server.manner == "busy" and server.connections == 1:
            self.say("421 come again")
        else:
            self.say("220 test ESMTP")
            self.talk()

    def talk(self):
        server, mail, secure = self.server, {"from": "", "to": []}, False
        lines = self.request.makefile("rb")
        while line := lines.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            match verb.upper():
                case "EHLO":
                    self.say("250-test")
                    self.say("250 AUTH PLAIN" if secure else "250 STARTTLS" if server.context else "250 HELP")
                case "STARTTLS":
                    self.say("220 go on")
                    self.request = server.context.wrap_socket(self.request, server_side=True)
                    lines, secure = self.request.makefile("rb"), True
                case "AUTH":
                    server.logins.append(rest)
                    self.say("535 no" if server.manner == "no login" else "235 welcome")
                case "MAIL":
                    mail["from"] = rest
                    self.say("250 ok")
                case "RCPT":
                    mail["to"].append(rest)
                    self.say("550 no such user" if server.manner == "refuses" else "250 ok")
                case "DATA":
                    self.say("354 go on")
                    text = b"".join(iter(lines.readline, b".\r\n"))
                    server.mails.append({**mail, "text": text, "secure": secure})
                    self.say("250 taken")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 ok")

    def say(self, text):
        self.request.sendall(text.encode() + b"\r\n")


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted; the server's `manner` is what it answers: a status, or a way to misbehave."""

    def do_POST(self):
        server = self.server
        server.connections += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if server.manner == "silent":
            server.ended.wait(60)
            return
        server.posts.append(json.loads(body))
        status = server.manner if isinstance(server.manner, int) else 200
        if isinstance(server.manner, list):
            status = server.manner.pop(0)
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        if server.manner == "endless":
            while not server.ended.is_set():
                self.wfile.write(b"x" * 100_000)

    def log_message(self, *arguments):
        pass


@contextmanager
def running(server, manner=None, context=None):
    """`server` at work in a thread, until the block ends."""
    server.manner, server.context, server.ended = manner, context, threading.Event()
    server.connections, server.mails, server.posts, server.logins = 0, [], [], []
    server.handle_error = lambda *arguments: None  # those that were hung up on
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def mail(manner=None, context=None):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    server.daemon_threads, server.block_on_close = True, False
    return running(server, manner, context)


def hook(manner=None, tls=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.block_on_close = False
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    return running(server, manner)


def certificate(folder):
    """A certificate of 127.0.0.1 that nobody trusts, and a server's TLS context with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.public_bytes(encoding))
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context
