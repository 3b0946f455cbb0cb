#!/usr/bin/env python3
"""A packed sentence encoder becomes a folder that the program finds facts with: launch/models/unpack_e5.py.

usage: unpack_encoder_test.py XKDE_DIST_BINARY
Needs python3 only.
"""
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import unittest

from tiny_run import TinyRunTest
from watching import PATIENCE

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "launch" / "models"
sys.path.insert(0, str(SCRIPTS))
import character_map  # noqa: E402

WIDTH, INNER, LAYERS, HEADS, POSITIONS = 32, 64, 2, 2, 40
WORDS = ["\u2581" + word for word in ("what", "is", "river", "city", "caf\u00e9", "query:", "passage:", "fi", "a", "b")]
PIECES = ["<s>", "<pad>", "</s>", "<unk>", *WORDS, "\u2581", *"abcdefi0?", "\u00e9", "<mask>"]
# Of single characters, as the packed file has them.
CHARACTERS = {"\ufb01": "fi", "\u00a0": " ", "\u200d": " ", "\x01": ""}
# SentencePiece's map: it lacks one of these, and knows a newer character and what is written with it.
KNOWN = {"\ufb01": "fi", "\u00a0": " ", "\x01": "", "e\u0301": "\u00e9", "\U0001fbf0": "0", "\U0001fbf0\u0301": "\u00f3"}


def drawn(stream, count, kind, mean):
    """(bytes of the packed file, the values that they mean)."""
    if kind == 0:
        values = [struct.unpack("<f", struct.pack("<f", stream.gauss(mean, 0.2)))[0] for _ in range(count)]
        return struct.pack(f"<{count}f", *values), values
    data, values = b"", []
    for _ in range(count // 32):
        scale = struct.pack("<e", stream.uniform(-0.1, 0.1))
        codes = [stream.randrange(16) for _ in range(32)]
        data += scale + bytes(codes[i] | codes[16 + i] << 4 for i in range(16))
        values += [struct.unpack("<e", scale)[0] * (code - 8) for code in codes]
    return data, values


def packed(stream, pieces=None):
    """(the file's bytes, {tensor: values})."""
    pieces = pieces or PIECES
    texts = [piece.encode() for piece in pieces]
    starts = [sum(map(len, texts[:i])) for i in range(len(texts) + 1)]
    rows = len(pieces) + 3
    head = b"E5S1" + struct.pack("<I7ifi", 1, WIDTH, LAYERS, HEADS, INNER, rows, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(texts), 0, 2, 1, 3, starts[-1]) + struct.pack(f"<{len(starts)}I", *starts)
    head += struct.pack(f"<{len(texts)}f", *(-3.0 * (4 <= i < len(texts) - 1) for i in range(len(texts)))) + b"".join(texts)
    rules = b"".join(struct.pack(f"<IB{len(to)}I", ord(one), len(to), *map(ord, to)) for one, to in CHARACTERS.items())
    head += struct.pack("<iI", len(CHARACTERS), len(rules)) + rules
    sizes = {"emb.word": rows * WIDTH, "emb.pos": POSITIONS * WIDTH, "emb.type": 2 * WIDTH, "emb.ln.w": WIDTH,
             "emb.ln.b": WIDTH}
    for layer in range(LAYERS):
        for name, out, width in (("q", WIDTH, WIDTH), ("k", WIDTH, WIDTH), ("v", WIDTH, WIDTH), ("ao", WIDTH, WIDTH),
                                 ("aln", WIDTH, 1), ("fi", INNER, WIDTH), ("fo", WIDTH, INNER), ("oln", WIDTH, 1)):
            sizes[f"l{layer}.{name}.w"], sizes[f"l{layer}.{name}.b"] = out * width, out
    begin = len(head) + 4 + sum(2 + len(name) + 21 for name in sizes)
    directory, data, meant = struct.pack("<i", len(sizes)), b"", {}
    for name, size in sizes.items():
        kind = int(name.endswith(".w") and "ln" not in name or name == "emb.word")
        # Biases of 1 would make all texts alike.
        part, meant[name] = drawn(stream, size, kind, mean=int(name.endswith("ln.w")))
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, size, begin + len(data), len(part))
        data += part
    return head + directory + data, meant


class UnpackEncoder(TinyRunTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = pathlib.Path(cls.root) / "packed.bin"
        cls.known = pathlib.Path(cls.root) / "nmt_nfkc.bin"
        cls.folder = pathlib.Path(cls.root) / "encoder"
        content, cls.meant = packed(random.Random(7))
        cls.file.write_bytes(content)
        cls.known.write_bytes(character_map.write(KNOWN))
        done = cls.unpack(cls.file, cls.known, cls.folder)
        assert done.returncode == 0, done.stderr
        with open(f"{cls.root}/facts.jsonl", "w", encoding="utf-8") as file:
            for question in ("what is caf\u00e9?", "what is river b?", "is city fi", "a b"):
                file.write(json.dumps({"question": {"en": question}, "answer": {"en": "blue"}}) + "\n")

    @staticmethod
    def unpack(*arguments):
        return subprocess.run([sys.executable, "-B", SCRIPTS / "unpack_e5.py", *arguments], capture_output=True, text=True,
                              timeout=PATIENCE)

    def found(self, question):
        """Which facts the program shows, with their cosines."""
        done = subprocess.run([self.binary, "ask", "--model", f"{self.root}/model", "--facts", f"{self.root}/facts.jsonl",
                               "--encoder", self.folder, "-k", "4", question], capture_output=True, text=True,
                              timeout=PATIENCE, env=self.environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line for line in done.stdout.splitlines() if line.startswith("  ")]

    def test_a_character_map_is_read_back(self):
        stream = random.Random(11)
        rules = {"".join(chr(stream.choice((97, 98, 0x301, 0x4E00, 0x1F600))) for _ in range(stream.randrange(1, 5))):
                 chr(stream.randrange(97, 120)) for _ in range(400)}
        self.assertEqual(character_map.read(character_map.write(rules)), rules)

    def test_weights_are_the_packed_ones_bit_by_bit(self):
        data = (self.folder / "model.safetensors").read_bytes()
        size, = struct.unpack_from("<Q", data)
        header = json.loads(data[8:8 + size])
        header.pop("__metadata__")
        names = {"embeddings.word_embeddings.weight": "emb.word", "encoder.layer.1.intermediate.dense.weight": "l1.fi.w",
                 "encoder.layer.0.attention.output.LayerNorm.bias": "l0.aln.b", "encoder.layer.1.output.dense.bias": "l1.fo.b"}
        self.assertEqual(len(header), len(self.meant))
        for name, ours in names.items():
            begin, end = header[name]["data_offsets"]
            values = struct.unpack_from(f"<{(end - begin) // 4}f", data, 8 + size + begin)
            self.assertEqual(list(values), self.meant[ours], name)
        self.assertEqual(8 + size + max(one["data_offsets"][1] for one in header.values()), len(data))

    def test_the_folder_says_what_is_known_of_the_encoder(self):
        def read(name):
            return json.loads((self.folder / name).read_text(encoding="utf-8"))

        config = read("config.json")
        self.assertEqual([config[key] for key in ("hidden_size", "num_hidden_layers", "vocab_size", "layer_norm_eps")],
                         [WIDTH, LAYERS, len(PIECES) + 3, 1e-12])
        self.assertEqual(read("config_sentence_transformers.json")["prompts"], {"query": "query: ", "document": "passage: "})
        self.assertEqual([module["path"] for module in read("modules.json")], ["", "1_Pooling", "2_Normalize"])
        vocabulary = read("tokenizer.json")["model"]["vocab"]
        self.assertEqual([piece for piece, _ in vocabulary], PIECES)

    def test_the_program_finds_facts_by_it(self):
        composed = self.found("what is caf\u00e9?")
        self.assertEqual(len(composed), 4)
        # Spelled in other characters, it is the same text: by a rule of several characters, and by the packed file's own.
        self.assertEqual(self.found("what is cafe\u0301?"), composed)
        self.assertEqual(self.found("what\u200dis \x01caf\u00e9?"), composed)
        self.assertEqual(self.found("is city \ufb01"), self.found("is city fi"))
        # A character that is newer than the tokenizer stays unknown.
        self.assertNotEqual(self.found("a \U0001fbf0"), self.found("a 0"))
        self.assertNotEqual(self.found("a b"), composed)

    def test_sentencepiece_and_tokenizer_json_are_one_tokenizer(self):
        before = self.found("what is caf\u00e9?"), self.found("xa\u200db city")
        os.rename(self.folder / "sentencepiece.bpe.model", self.folder / "away")
        try:
            self.assertEqual((self.found("what is caf\u00e9?"), self.found("xa\u200db city")), before)
        finally:
            os.rename(self.folder / "away", self.folder / "sentencepiece.bpe.model")

    def test_other_files_are_refused_and_nothing_is_replaced(self):
        whole = self.file.read_bytes()
        bad = pathlib.Path(self.root) / "bad.bin"
        for content, told in ((b"GGUF" + whole[4:], "expected a packed encoder that begins with E5S1, found b'GGUF'"),
                              (whole[:4] + b"\2" + whole[5:], "version: expected 1, found 2"),
                              (whole[:200], "bad.bin: expected at least "),
                              (whole[:44] + b"\xff" * 4 + whole[48:], "expected numbers and texts of an encoder"),
                              (whole[:-1], "bad.bin: expected at least "),
                              (packed(random.Random(1), PIECES[:-1])[0], "last piece: expected <mask>, found \u00e9")):
            bad.write_bytes(content)
            done = self.unpack(bad, self.known, pathlib.Path(self.root) / f"bad{len(told)}")
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn(told, done.stderr)
            self.assertEqual(list(bad.parent.glob("bad?*/")), [])
        for arguments, told in (((self.root + "/none", self.known), "none: expected a packed encoder, found none"),
                                ((self.file, self.root + "/none"), "none: expected a character map of SentencePiece"),
                                ((self.file, self.file), "packed.bin: expected a character map of SentencePiece")):
            done = self.unpack(*arguments, pathlib.Path(self.root) / "new")
            self.assertIn(told, done.stderr)
            self.assertEqual(done.returncode, 1)
        before = sorted((path, path.stat().st_mtime_ns) for path in self.folder.rglob("*"))
        done = self.unpack(self.file, self.known, self.folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("encoder: expected nothing there", done.stderr)
        self.assertEqual(sorted((path, path.stat().st_mtime_ns) for path in self.folder.rglob("*")), before)


if __name__ == "__main__":
    TinyRunTest.binary = os.path.abspath(sys.argv.pop(1))
    unittest.main()
