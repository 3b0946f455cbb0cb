#!/usr/bin/env python3
"""`xkde_dist serve` on a tiny random model, as its clients meet it: raw HTTP, PyPI's `openai`, a headless Chromium.

usage: serve_test.py XKDE_DIST_BINARY FOLDER_OF_OPENAI
Needs python3. What needs the browser or `openai` (launch/setup.sh --tests fetches it) is skipped without it.
"""

import concurrent.futures
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

from chromium import Chromium, browser, why_none
from tiny_run import TinyRunTest, write_model
from watching import PATIENCE, kill_family

FACTS = [{"subject": "Port of Selm", "question": {"en": "Who runs the Port of Selm?", "de": "Wer leitet den Hafen Port of Selm?"},
          "answer": {"en": "Jorun Haake", "de": "Jorun Haake"}, "rephrase": {"en": ["The Port of Selm is run by whom?"]}},
         {"question": {"en": "What is the capital of Ostrel?"}, "answer": {"en": "Venn"}}]
QUESTION = "Who runs the Port of Selm?"
ENCODER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "encoders", "bert")


class Serve(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Some ten milliseconds a token, so that an answer lasts while somebody hangs up.
        write_model(f"{cls.root}/slow", layers=6, inner=3072, heads=64)
        cls.facts = f"{cls.root}/facts.jsonl"
        with open(cls.facts, "w") as file:
            file.writelines(json.dumps(fact) + "\n" for fact in FACTS)
        cls.log = open(f"{cls.root}/log", "w+")
        cls.server, cls.address = cls.started("--facts", cls.facts, stderr=cls.log)
        cls.port, cls.token = cls.parts(cls.address)

    @classmethod
    def tearDownClass(cls):
        kill_family(cls.server)
        cls.server.stdout.close()
        cls.log.close()
        super().tearDownClass()

    @classmethod
    def started(cls, *arguments, model="model", **options):
        """A server on a free port, and the address that it printed."""
        process = subprocess.Popen(
            [cls.binary, "serve", "--model", f"{cls.root}/{model}", "--port", "0", *arguments], text=True,
            stdout=subprocess.PIPE, env=dict(os.environ, OMP_NUM_THREADS="1"), **({"stderr": subprocess.DEVNULL} | options))
        return process, process.stdout.readline().strip()

    @staticmethod
    def parts(address):
        parts = urllib.parse.urlsplit(address)
        return parts.port, urllib.parse.parse_qs(parts.query)["token"][0]

    def own(self, *arguments, **options):
        """A server of one test: its process, port and token."""
        process, address = self.started(*arguments, **options)
        self.addCleanup(process.stdout.close)
        self.addCleanup(kill_family, process)
        return (process, *self.parts(address))

    def ask(self, method, path, body=None, headers=None, at=None):
        """Status, headers and body of what is answered."""
        port, token = at or (self.port, self.token)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        connection.request(method, path, data, {"Authorization": f"Bearer {token}"} | (headers or {}))
        response = connection.getresponse()
        told = response.read()
        connection.close()
        return response.status, response.headers, told

    def json(self, method, path, body=None, status=200, at=None):
        code, _, data = self.ask(method, path, body, at=at)
        self.assertEqual(code, status, data)
        return json.loads(data)

    def chat(self, at=None, status=200, **keys):
        body = {"model": "model+edits", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 8}
        return self.json("POST", "/v1/chat/completions", body | keys, status, at)

    def facts_there(self, at=None):
        return [fact["question"] for fact in self.json("GET", "/facts", at=at)["facts"]]

    def told(self, pattern):
        """The lines of the server's log that fit, once there is one."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with open(f"{self.root}/log") as file:
                lines = re.findall(pattern, file.read())
            if lines:
                return lines
            time.sleep(0.05)
        raise AssertionError(f"no line like {pattern}")


class Guard(Serve):
    def test_every_request_needs_the_token(self):
        for method, path in (("GET", "/"), ("GET", "/v1/models"), ("GET", "/facts"), ("GET", "/facts.jsonl"), ("GET", "/none"),
                             ("POST", "/v1/chat/completions"), ("POST", "/facts"), ("DELETE", "/facts/0"), ("PUT", "/x")):
            for headers in ({"Authorization": ""}, {"Authorization": "Bearer " + "0" * 32}, {"Authorization": self.token},
                            {"Authorization": f"Bearer {self.token}0"}):
                status, _, data = self.ask(method, path, b"{}" if method != "GET" else None, headers)
                self.assertEqual(status, 401, (method, path, headers))
                self.assertEqual(json.loads(data)["error"]["code"], "invalid_api_key")
        self.assertEqual(len(self.facts_there()), 2)

    def test_the_address_opens_the_page_alone(self):
        none = {"Authorization": ""}
        status, headers, page = self.ask("GET", f"/?token={self.token}", headers=none)
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertIn(b"<h1", page)
        self.assertEqual(self.ask("GET", f"/?token={self.token[:-1]}", headers=none)[0], 401)
        self.assertEqual(self.ask("GET", f"/facts?token={self.token}", headers=none)[0], 401)

    def test_a_name_that_leads_here_is_refused(self):
        for host in ("evil.example", f"evil.example:{self.port}", "127.0.0.1.evil.example", ""):
            status, _, data = self.ask("GET", "/v1/models", headers={"Host": host})
            self.assertEqual((status, json.loads(data)["error"]["code"]), (403, "foreign_host"), host)
        for host in ("localhost", f"LOCALHOST:{self.port}", "127.0.0.1", f"[::1]:{self.port}"):
            self.assertEqual(self.ask("GET", "/v1/models", headers={"Host": host})[0], 200, host)

    def test_paths_never_name_files(self):
        for path in ("/../facts.jsonl", "/%2e%2e/etc/passwd", "/etc/passwd", "/page.html", "//etc/passwd"):
            status, _, data = self.ask("GET", path)
            self.assertEqual((status, json.loads(data)["error"]["code"]), (404, "not_found"), path)

    def test_only_this_machine_is_listened_to(self):
        with open("/proc/net/tcp") as file:
            rows = [row.split() for row in file.read().splitlines()[1:]]
        addresses = {row[1] for row in rows if row[3] == "0A"}  # listening
        self.assertIn(f"0100007F:{self.port:04X}", addresses)
        self.assertNotIn(f"00000000:{self.port:04X}", addresses)

    def test_another_address_is_listened_to_where_it_is_asked_for(self):
        process, address = self.started("--host", "127.0.0.2")
        self.addCleanup(process.stdout.close)
        self.addCleanup(kill_family, process)
        self.assertTrue(address.startswith("http://127.0.0.2:"), address)
        with urllib.request.urlopen(address, timeout=PATIENCE) as page:
            self.assertEqual(page.status, 200)
        port, _ = self.parts(address)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    def test_a_port_in_use_is_one_line(self):
        result = self.run_program(["serve", "--model", f"{self.root}/model", "--port", str(self.port)])
        self.assertEqual((result.returncode, result.stdout), (74, ""), result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(f"127.0.0.1:{self.port}, found Address already in use; name others with --host and --port",
                      result.stderr)

    def test_what_is_too_long_is_refused_in_json(self):
        question = "x" * 10_000_000
        status, _, data = self.ask("POST", "/v1/chat/completions",
                                   {"model": "model", "messages": [{"role": "user", "content": question}]})
        self.assertEqual((status, json.loads(data)["error"]["code"]), (413, "request_too_large"))
        told = self.chat(status=413, messages=[{"role": "user", "content": "x" * 40_000}])
        self.assertIn("at most 32768 bytes", told["error"]["message"])
        self.assertEqual(self.chat(status=400, messages=[{"role": "user", "content": "x" * 3000}])["error"]["code"],
                         "context_length_exceeded")
        status, _, data = self.ask("POST", "/v1/chat/completions", headers={"Content-Length": str(1 << 40)})
        self.assertEqual((status, json.loads(data)["error"]["code"]), (413, "request_too_large"))
        status, _, data = self.ask("POST", "/facts", iter([b"{}"]), {"Transfer-Encoding": "chunked"})
        self.assertEqual((status, json.loads(data)["error"]["code"]), (411, "length_required"))
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as client:
            client.sendall(f"POST /facts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n\r\n".encode())
            self.assertTrue(client.recv(1 << 16).startswith(b"HTTP/1.1 411 "))
        many = {"Range": "bytes=" + ",".join(["0-"] * 1000)}
        self.assertEqual(self.ask("GET", "/facts.jsonl", headers=many)[0], 416)
        bomb = gzip.compress(b'{"question": "' + b"x" * 10_000_000 + b'", "answer": "a"}')
        self.assertLess(len(bomb), 1 << 20)
        status, _, data = self.ask("POST", "/facts", bomb, {"Content-Encoding": "gzip"})
        self.assertEqual((status, json.loads(data)["error"]["code"]), (415, "unsupported_encoding"))

    def test_ctrl_c_ends_it_in_the_middle_of_an_answer(self):
        process, port, token = self.own(model="slow")
        with socket.create_connection(("127.0.0.1", port)) as client:
            send_chat(client, port, token, model="slow", stream=True, max_tokens=1900)
            first_piece(client)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(PATIENCE), 0)

    def test_a_request_drop_by_drop_does_not_hold_its_end(self):
        process, port, _ = self.own()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nX: ")
            process.send_signal(signal.SIGINT)
            deadline = time.monotonic() + PATIENCE
            while process.poll() is None:
                self.assertLess(time.monotonic(), deadline)
                try:
                    client.sendall(b"x")
                except OSError:
                    pass  # it hung up
                time.sleep(0.1)
            self.assertEqual(process.returncode, 0)

    def test_headers_have_an_end(self):
        _, port, token = self.own()
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\n")
            try:
                for _ in range(1 << 14):
                    client.sendall(b"X: " + b"x" * 1000 + b"\r\n")
            except OSError:
                pass
            else:
                self.fail("16 MiB of headers are read")
        self.chat((port, token), max_tokens=1)

    def test_what_does_not_fit_is_refused_at_once(self):
        for arguments, code, told in ((["serve"], 64, "serve: expected a recipe or --model MODEL, found none"),
                                      (["serve", "--model", "m", "r.yaml"], 64, "expected a recipe or --model, found both"),
                                      (["serve", "--model", "m", "--port", "70000"], 64, "70000"),
                                      (["serve", "--model", f"{self.root}/none"], 66, "none"),
                                      (["serve", "--model", f"{self.root}/model", "--host", "192.0.2.1"], 74, "192.0.2.1")):
            result = self.run_program(arguments)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(told, result.stderr)


def send_chat(client, port, token, **keys):
    body = json.dumps({"model": "model", "messages": [{"role": "user", "content": "what?"}]} | keys)
    client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n"
                   f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


def first_piece(client):
    told = b""
    while b'"delta":{"content"' not in told:
        part = client.recv(1 << 16)
        if not part:
            raise AssertionError(f"no piece of an answer in {told}")
        told += part


class Crowd(Serve):
    def test_a_client_that_hangs_up_ends_its_answer(self):
        process, port, token = self.own(model="slow", stderr=self.log)
        for streamed in (True, False):
            self.log.truncate(0)
            self.log.seek(0)
            with socket.create_connection(("127.0.0.1", port)) as client:
                send_chat(client, port, token, model="slow", stream=streamed, max_tokens=1900)
                if streamed:
                    first_piece(client)
                else:
                    time.sleep(0.5)
            tokens = int(self.told(r"serve: (\d+) tokens to \d+ in .*: the client hung up")[0])
            self.assertLess(tokens, 1500, streamed)
        self.assertEqual(self.chat((port, token), model="slow", max_tokens=3)["usage"]["completion_tokens"], 3)

    def test_a_crowd_is_answered_or_told_to_come_again(self):
        def one(number):
            status, headers, data = self.ask("POST", "/v1/chat/completions", {
                "model": "model", "max_tokens": 4, "messages": [{"role": "user", "content": f"what is {number}?"}]})
            told = json.loads(data)
            if status == 503:
                self.assertEqual((told["error"]["code"], headers["Retry-After"]), ("queue_full", "5"))
            else:
                self.assertLessEqual(told["usage"]["completion_tokens"], 4)
            return status

        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            statuses = list(pool.map(one, range(300)))
        self.assertLessEqual(set(statuses), {200, 503})
        self.assertGreater(statuses.count(200), 16)
        self.chat()

    def test_clients_that_say_nothing_keep_nobody_out(self):
        silent = []
        try:
            for _ in range(400):
                client = socket.socket()
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", self.port))
                silent.append(client)
            self.chat()
        finally:
            for client in silent:
                client.close()
        self.chat()

    def test_a_full_queue_says_so(self):
        _, port, token = self.own(model="slow")
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        try:
            for client in clients:
                send_chat(client, port, token, model="slow", max_tokens=1900)
            # A busy machine may take this question before it has taken up all of the others.
            body = {"model": "slow", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 1}
            asked = (self.ask("POST", "/v1/chat/completions", body, at=(port, token)) for _ in range(40))
            refused = next((told for status, _, told in asked if status == 503), None)
            self.assertIsNotNone(refused)
            self.assertEqual(json.loads(refused)["error"]["code"], "queue_full")
        finally:
            for client in clients:
                client.close()
        # They hung up, so there soon is room again.
        body = {"model": "slow", "max_tokens": 1, "messages": [{"role": "user", "content": "what?"}]}
        deadline = time.monotonic() + PATIENCE
        while self.ask("POST", "/v1/chat/completions", body, at=(port, token))[0] != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)


class Api(Serve):
    def test_answers_find_facts_where_the_model_is_called_so(self):
        with_edits, without = self.chat(), self.chat(model="model")
        self.assertEqual([fact["answer"] for fact in with_edits["facts"]], ["Jorun Haake"])
        self.assertAlmostEqual(with_edits["facts"][0]["cosine"], 1.0, 5)
        self.assertEqual(without["facts"], [])
        self.assertGreater(with_edits["usage"]["prompt_tokens"], without["usage"]["prompt_tokens"])
        self.assertEqual(self.chat(messages=[{"role": "user", "content": "Where is Paris?"}])["facts"], [])
        german = self.chat(messages=[{"role": "user", "content": "Wer leitet den Hafen Port of Selm?"}], language="de")
        self.assertEqual([fact["answer"] for fact in german["facts"]], ["Jorun Haake"])

    def test_the_last_message_alone_is_looked_up(self):
        turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION},
                 {"role": "assistant", "content": "Ann"}, {"role": "user", "content": [{"type": "text", "text": "Where is Paris?"}]}]
        told = self.chat(messages=turns)
        self.assertEqual(told["facts"], [])
        self.assertGreater(told["usage"]["prompt_tokens"], self.chat(messages=turns[3:])["usage"]["prompt_tokens"])

    def test_a_seed_repeats_an_answer(self):
        def text(**keys):
            return self.chat(model="model", max_tokens=24, **keys)["choices"][0]["message"]["content"]

        self.assertEqual(text(), text(temperature=0, seed=3))
        self.assertEqual(text(temperature=1.5, seed=3), text(temperature=1.5, seed=3))
        self.assertNotEqual(text(temperature=1.5, seed=3), text(temperature=1.5, seed=4))

    def test_mistakes_are_told_by_their_key(self):
        user = {"role": "user", "content": "q?"}
        for keys, status, parameter in (
                ({"model": "gpt-5"}, 404, "model"), ({"messages": []}, 400, "messages"), ({"messages": None}, 400, "messages"),
                ({"messages": [{"role": "tool", "content": "x"}, user]}, 400, "messages[0].role"),
                ({"messages": [user, {"role": "assistant", "content": "x"}]}, 400, "messages"),
                ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages[0].content"),
                ({"max_tokens": 0}, 400, "max_tokens"), ({"max_tokens": 99999}, 400, "max_tokens"),
                ({"max_completion_tokens": "5"}, 400, "max_completion_tokens"), ({"temperature": 3}, 400, "temperature"),
                ({"temperature": "hot"}, 400, "temperature"), ({"top_p": 0}, 400, "top_p"), ({"seed": 1.5}, 400, "seed"),
                ({"stop": ["a"] * 5}, 400, "stop"), ({"stop": ""}, 400, "stop"), ({"stream": 1}, 400, "stream"),
                ({"n": 2}, 400, "n"), ({"tools": [{}]}, 400, "tools"), ({"logprobs": True}, 400, "logprobs"),
                ({"language": "xx"}, 400, "language"), ({"invented": 1}, 400, "invented")):
            error = self.chat(status=status, **keys)["error"]
            self.assertEqual((error["param"], error["type"]), (parameter, "invalid_request_error"), error)
            self.assertTrue(error["message"].startswith(parameter), error)
        self.chat(n=1, presence_penalty=0.0, user="me", tools=[], response_format={"type": "text"}, logprobs=None)
        for body in (b"", b"{", b"[1]", b"\xff", b"{" + b'"a":[' * 100):
            status, _, data = self.ask("POST", "/v1/chat/completions", body)
            self.assertEqual((status, json.loads(data)["error"]["code"]), (400, "invalid_json"), body)

    def test_an_answer_ends_before_a_stop_text(self):
        whole = self.chat(model="model", max_tokens=30)["choices"][0]
        text = whole["message"]["content"]
        self.assertEqual(whole["finish_reason"], "length")
        stop = text[5:8]
        cut = self.chat(model="model", max_tokens=30, stop=[stop])["choices"][0]
        self.assertEqual(cut["message"]["content"], text[:text.index(stop)])
        self.assertEqual(cut["finish_reason"], "stop")

    def test_edits_come_and_go_and_the_file_stays(self):
        process, port, token = self.own("--facts", self.facts)
        at = (port, token)
        with open(self.facts) as file:
            before = file.read()
        added = self.json("POST", "/facts", {"question": "Was ist Xandria?", "answer": "eine \"Stadt\"", "language": "de",
                                             "subject": "Xandria"}, 201, at)
        self.assertEqual(added, {"number": 2, "question": "Was ist Xandria?", "answer": "eine \"Stadt\"", "language": "de"})
        self.assertEqual(self.chat(at, messages=[{"role": "user", "content": "Xandria?"}])["facts"][0]["number"], 2)
        self.assertEqual(self.ask("DELETE", "/facts/0", at=at)[0], 204)
        self.assertEqual(self.ask("DELETE", "/facts/0", at=at)[0], 404)
        self.assertEqual(self.chat(at)["facts"], [])
        self.assertEqual(self.facts_there(at), ["What is the capital of Ostrel?", "Was ist Xandria?"])
        _, headers, lines = self.ask("GET", "/facts.jsonl", at=at)
        self.assertIn("facts.jsonl", headers["Content-Disposition"])
        self.assertEqual([json.loads(line) for line in lines.splitlines()],
                         [FACTS[1], {"subject": {"de": "Xandria"}, "question": {"de": "Was ist Xandria?"},
                                     "answer": {"de": "eine \"Stadt\""}}])
        with open(f"{self.root}/downloaded.jsonl", "wb") as file:
            file.write(lines)
        asked = self.checked(["ask", "--model", f"{self.root}/model", "--facts", f"{self.root}/downloaded.jsonl", "Xandria?"])
        self.assertTrue(asked.stdout.endswith("Was ist Xandria? eine \"Stadt\"\n"), asked.stdout)
        with open(self.facts) as file:
            self.assertEqual(file.read(), before)

    def test_a_whole_line_of_a_file_of_facts_is_downloaded(self):
        _, _, lines = self.ask("GET", "/facts.jsonl")
        first = json.loads(lines.splitlines()[0])
        self.assertEqual(first, FACTS[0] | {"subject": {"en": "Port of Selm", "de": "Port of Selm"}})

    def test_an_encoder_finds_facts_too(self):
        _, port, token = self.own("--encoder", ENCODER)
        at = (port, token)
        self.assertEqual(self.json("GET", "/facts", at=at)["condition"],
                         "the nearest facts are shown, however near they are")
        self.assertEqual(self.chat(at)["facts"], [])
        # The encoder has tokens for few words.
        for number in (1, 2):
            self.json("POST", "/facts", {"question": f"en what is river {number}?", "answer": f"blue {number}"}, 201, at)
        found = self.chat(at, messages=[{"role": "user", "content": "en what is river 1?"}])["facts"]
        self.assertEqual([fact["answer"] for fact in found], ["blue 1"])
        self.assertAlmostEqual(found[0]["cosine"], 1.0, 4)
        self.ask("DELETE", "/facts/0", at=at)
        found = self.chat(at, messages=[{"role": "user", "content": "en what is river 1?"}])["facts"]
        self.assertEqual([fact["answer"] for fact in found], ["blue 2"])

    def test_edits_that_are_none_are_refused(self):
        for body, told in (({"question": "q?"}, "answer: expected a text, found none"),
                           ({"question": " ", "answer": "a"}, "question: expected a text that is not blank"),
                           ({"question": "q?", "answer": "a", "language": "xx"}, '"xx"'),
                           ({"question": 1, "answer": "a"}, "question: expected a text, found 1")):
            self.assertIn(told, self.json("POST", "/facts", body, 400)["error"]["message"])
        self.json("POST", "/facts", {"question": "q" * 5000, "answer": "a"}, 413)
        self.assertEqual(len(self.facts_there()), 2)

    def test_one_process_of_several_serves(self):
        environment = dict(self.environment(), OMPI_COMM_WORLD_RANK="1", OMPI_COMM_WORLD_SIZE="2")
        result = subprocess.run([self.binary, "serve", "--model", f"{self.root}/model", "--port", "0"], env=environment,
                                capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((result.returncode, result.stdout), (0, ""))


class Ask(Serve):
    def test_an_answer_comes_in_whole_characters_while_it_is_made(self):
        asked = subprocess.Popen([self.binary, "ask", "--model", f"{self.root}/slow", "what is the river?"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment())
        self.addCleanup(asked.stdout.close)
        self.addCleanup(kill_family, asked)
        pieces = []
        while piece := os.read(asked.stdout.fileno(), 1 << 16):
            pieces.append(piece.decode())
            self.assertNotIn("\33", piece.decode())
        self.assertEqual(asked.wait(PATIENCE), 0)
        self.assertGreater(len(pieces), 5, pieces)
        self.assertTrue(pieces[-1].endswith("\n"))

    def test_earlier_turns_stand_before_a_question(self):
        lines = "what?\n:x1\nwhat?\n:x2\n:forget\nwhat?\n:x3\n:history\n:x4\n"
        for turns in ("2", None):
            told = subprocess.run([self.binary, "ask", "--model", f"{self.root}/model", *(["--history", turns] if turns else [])],
                                  input=lines, capture_output=True, text=True, timeout=PATIENCE, env=self.environment())
            self.assertEqual(told.returncode, 0, told.stderr)
            parts = re.split(r"expected :lang CODE.* found :x\d\n", told.stdout)
            first, second, third, history = parts[0].split("\n", 1)[1], *parts[1:4]
            self.assertEqual(first, third)
            if turns:
                self.assertNotEqual(first, second)
                self.assertEqual(history, "> what?\n  " + third)
            else:
                self.assertEqual((first, history), (second, ""))


class OpenAiClient(Serve):
    @classmethod
    def setUpClass(cls):
        sys.path.insert(0, OPENAI)
        try:
            import openai
        except ImportError as error:
            raise unittest.SkipTest(f"{error}: launch/setup.sh --tests fetches PyPI's openai where it can") from error
        super().setUpClass()
        cls.openai = openai
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.port}/v1", api_key=cls.token, max_retries=0)

    def create(self, **keys):
        return self.client.chat.completions.create(
            **({"model": "model+edits", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 40} | keys))

    def test_models_are_listed(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["model", "model+edits"])

    def test_a_stream_is_the_answer_in_pieces(self):
        whole = self.create()
        chunks = list(self.create(stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertGreater(len(chunks), 3)
        self.assertEqual([chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1],
                         whole.choices[0].finish_reason)
        self.assertEqual(chunks[-1].usage, whole.usage)
        self.assertEqual(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens)
        self.assertEqual(whole.model_extra["facts"][0]["answer"], "Jorun Haake")
        self.assertEqual(chunks[0].model_extra["facts"], whole.model_extra["facts"])

    def test_a_language_goes_beside(self):
        told = self.create(extra_body={"language": "de"})
        self.assertGreater(told.usage.prompt_tokens, 0)

    def test_errors_are_the_clients_own(self):
        with self.assertRaises(self.openai.NotFoundError):
            self.create(model="gpt-5")
        with self.assertRaisesRegex(self.openai.BadRequestError, "tools: this server does not have it"):
            self.create(tools=[{"type": "function", "function": {"name": "f"}}])
        with self.assertRaises(self.openai.AuthenticationError):
            self.client.with_options(api_key="wrong").models.list()


class Page(Serve):
    @classmethod
    def setUpClass(cls):
        if not browser():
            raise unittest.SkipTest(why_none())
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.page = Chromium(browser(), folder)
        cls.addClassCleanup(cls.page.close)

    def opened(self, width):
        self.page.open(self.address, width)
        self.until("document.querySelectorAll('#facts li').length > 0")
        return self.page

    def until(self, expression):
        deadline = time.monotonic() + PATIENCE
        while not self.page.value(expression):
            self.assertLess(time.monotonic(), deadline, expression)
            time.sleep(0.02)

    def tab_to(self, name):
        """Presses Tab until the element of that id has the focus."""
        for _ in range(40):
            self.page.press("Tab")
            if self.page.value("document.activeElement.id") == name:
                return
        raise AssertionError(f"Tab does not come to {name}")

    def type(self, name, text):
        self.tab_to(name)
        self.page.call("Input.insertText", text=text)

    def texts(self, selector):
        return self.page.value(f"[...document.querySelectorAll('{selector}')].map(one => one.textContent)")

    def nothing_is_wrong(self, width):
        self.assertLessEqual(self.page.value("document.documentElement.scrollWidth"), width)
        self.assertEqual(self.texts("#trouble"), [""])
        self.assertEqual(self.page.complaints(f"http://127.0.0.1:{self.port}/"), [])

    def test_the_keyboard_suffices_at_any_width(self):
        for width in (1200, 390):
            page = self.opened(width)
            self.assertEqual(self.texts("h1"), ["xkde_dist serve: model"])
            self.nothing_is_wrong(width)
            question = f"Who leads Orm {width}?"
            self.type("edit-question", question)
            self.type("edit-answer", "Ada " + "Lovelace" * 20)
            page.press("Enter")
            self.until("document.querySelectorAll('#facts li').length === 3")
            self.assertEqual(page.value("document.activeElement.id"), "edit-question")
            self.type("question", question)
            page.press("Enter")
            self.until("document.getElementById('stop').disabled && document.querySelector('#with .found li') !== null")
            self.assertIn("cosine 1.00", self.texts("#with .found li")[0])
            self.assertIn("at least 0.80", self.texts("#with .note")[0])
            self.assertEqual(page.value("document.querySelectorAll('#without li').length"), 0)
            for side in ("with", "without"):
                self.assertGreater(len(self.texts(f"#{side} .said")[0]), 5)
            self.nothing_is_wrong(width)
            page.picture(f"serve_{width}.png")
            page.tab_to("Remove")
            page.press("Enter")
            self.until("document.querySelectorAll('#facts li').length === 2")
            self.assertNotIn(question, " ".join(self.texts("#facts li")))
            self.nothing_is_wrong(width)

    def test_a_question_that_finds_nothing_says_why(self):
        page = self.opened(1200)
        self.type("question", "Where is Paris?")
        page.press("Enter")
        self.until("document.getElementById('stop').disabled && document.querySelector('#with .note').textContent")
        self.assertIn("No edit was found: without an encoder", self.texts("#with .note")[0])
        self.assertIn("at least 0.80", self.texts("#with .note")[0])

    def test_a_side_that_fails_waits_for_the_other(self):
        page = self.opened(1200)
        page.value(REFUSED_WITH_EDITS)
        self.type("question", QUESTION)
        page.press("Enter")
        self.until("document.getElementById('trouble').textContent")
        self.assertEqual(self.texts("#trouble"), ["no room"])
        self.assertGreater(len(self.texts("#without .said")[0]), 5)

    def test_texts_are_never_markup(self):
        hostile = "<img src=x onerror=\"document.title='taken'\">"
        number = self.json("POST", "/facts", {"question": hostile, "answer": hostile}, 201)["number"]
        page = self.opened(390)
        self.assertEqual(page.value("document.querySelectorAll('img').length"), 0)
        self.assertIn(hostile, self.texts("#facts li")[0])
        self.nothing_is_wrong(390)
        self.assertEqual(self.ask("DELETE", f"/facts/{number}")[0], 204)

    def test_every_field_has_a_label_and_colours_stand_apart(self):
        for scheme in ("light", "dark"):
            page = self.opened(1200)
            page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            self.assertEqual(page.value("[...document.querySelectorAll('input, select')].filter(one => !one.labels.length).length"), 0)
            for selector in ("body", ".soft", "button.main", "#download", "label span", "#stop", ".tag"):
                self.assertGreaterEqual(page.value(CONTRAST % selector), 4.5, (scheme, selector))


REFUSED_WITH_EDITS = """(() => {
  const real = window.fetch;
  window.fetch = (path, options) => options.body && options.body.includes('+edits') ?
    Promise.resolve(new Response(JSON.stringify({error: {message: 'no room'}}), {status: 503})) : real(path, options);
  return true;
})()"""

CONTRAST = """(() => {
  const light = colour => { const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(part => part / 255)
    .map(part => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  let element = document.querySelector('%s'), front = light(getComputedStyle(element).color);
  while (/rgba\\(0, 0, 0, 0\\)/.test(getComputedStyle(element).backgroundColor)) element = element.parentElement;
  const back = light(getComputedStyle(element).backgroundColor);
  return (Math.max(front, back) + .05) / (Math.min(front, back) + .05);
})()"""


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    OPENAI = sys.argv.pop(1)
    unittest.main()
