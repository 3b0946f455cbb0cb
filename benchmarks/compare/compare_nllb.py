#!/usr/bin/env python3
"""The NLLB reward (protocol 5.2), side by side: transformers with one answer a call, as the published scorer works,
against the reward of `xkde_dist` in batches, fp32, same weights, strings and threads.

usage: compare_nllb.py --binary nllb_bench [--questions 40] [--answers 5] [--rounds 3] [--layers 12] [--vocab 256206]
Prints one JSON line. The weights are random, by default of NLLB-200-distilled-600M's shape (--layers and --vocab scale
it down; the line says which). A sample is one answer; both sides are timed without start-up and model loading, both
tokenize. `largest_relative_difference` is that of the rewards. Needs requirements.txt and sentencepiece.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

import common

PIECES = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/nllb/sentencepiece.bpe.model"
SOURCE, TARGET = "zho_Hans", "eng_Latn"


def write_model(folder, options):
    """A random model; the small vocabulary of the tests, with the language codes where the published ones have them."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration
    torch.manual_seed(0)
    config = M2M100Config(vocab_size=options.vocab, d_model=1024, encoder_layers=options.layers,
                          decoder_layers=options.layers, encoder_ffn_dim=4096, decoder_ffn_dim=4096,
                          encoder_attention_heads=16, decoder_attention_heads=16, max_position_embeddings=1024)
    model = M2M100ForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    shutil.copy(PIECES, folder)
    languages = {SOURCE: options.vocab - 4, TARGET: options.vocab - 3}
    (folder / "tokenizer.json").write_text(json.dumps(
        {"added_tokens": [{"id": id_, "content": code} for code, id_ in languages.items()]}))
    return model, languages


def write_cases(file, options):
    """Strings of 3 to 14 pieces, about as long as answers of the benchmarks."""
    import sentencepiece
    pieces = sentencepiece.SentencePieceProcessor(str(PIECES))
    rng = random.Random(1)

    def text():
        return pieces.decode([rng.randrange(3, pieces.get_piece_size()) for _ in range(rng.randint(3, 14))])

    cases = [{"gold": text(), "answers": [text() for _ in range(options.answers)], "gold_language": "en",
              "answer_language": "zh"} for _ in range(options.questions)]
    file.write_text(json.dumps(cases, ensure_ascii=False), encoding="utf-8")
    return cases


class HuggingFaceSide:
    def __init__(self, model, languages, cases, threads):
        import sentencepiece
        import torch
        torch.set_num_threads(threads)
        self.torch, self.model, self.languages, self.cases = torch, model, languages, cases
        self.pieces = sentencepiece.SentencePieceProcessor(str(PIECES))

    def ids(self, text, language):
        pieces = [3 if piece == 0 else piece + 1 for piece in self.pieces.encode(text)]
        return self.torch.tensor([[self.languages[language]] + pieces[:510] + [2]])

    def score(self, case):
        rewards = []
        for answer in case["answers"]:
            source = self.ids(answer, SOURCE)
            with self.torch.no_grad():
                loss = self.model(input_ids=source, attention_mask=self.torch.ones_like(source),
                                  labels=self.ids(case["gold"], TARGET)).loss
            rewards.append(1.0 / loss.item())
        return rewards

    def timed(self):
        start = time.perf_counter()
        self.scores = [self.score(case) for case in self.cases]
        return sum(map(len, self.scores)), time.perf_counter() - start


class ProductSide:
    def __init__(self, options, model, cases):
        command = [options.binary, "--model", str(model), "--cases", str(cases), "--threads", str(options.threads),
                   "--tokens-per-batch", str(options.tokens_per_batch)]
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)

    def timed(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"nllb_bench ended with exit code {self.process.wait()}")
        result = json.loads(line)
        self.scores = result["scores"]
        return result["answers"], result["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def largest_difference(left, right):
    return max(abs(a - b) / abs(a) for x, y in zip(left, right) for a, b in zip(x, y))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="nllb_bench")
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--answers", type=int, default=5, help="of each question")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each side")
    parser.add_argument("--layers", type=int, default=12, help="of the encoder, and of the decoder")
    parser.add_argument("--vocab", type=int, default=256206)
    parser.add_argument("--tokens-per-batch", type=int, default=1024)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xkde_compare_") as name:
        folder = pathlib.Path(name)
        model, languages = write_model(folder, options)
        cases = write_cases(folder / "cases.json", options)
        reference = HuggingFaceSide(model, languages, cases, options.threads)
        product = ProductSide(options, folder, folder / "cases.json")
        reference.score(cases[0])  # warm-up
        product.timed()
        results = common.alternate(options.rounds, {"hf": reference.timed, "xkde": product.timed})
        product.close()
    report = {"case": "nllb reward", "dtype": "float32", "threads": options.threads, "rounds": options.rounds,
              "layers": [options.layers] * 2, "width": 1024, "vocab": options.vocab, "questions": options.questions,
              "answers": options.answers, "tokens_per_batch": options.tokens_per_batch}
    report |= common.speed_report(results)
    report["largest_relative_difference"] = largest_difference(reference.scores, product.scores)
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
