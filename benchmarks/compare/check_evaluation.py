#!/usr/bin/env python3
"""Does everything that an evaluation of `xkde_dist` says again, one prompt at a time, with transformers.

usage: check_evaluation.py RUN --model DIR [--base-model DIR] [--stage 01] [--max-different 0]
RUN is the folder of a finished run. Of each evaluate stage (or the named ones) every line of predictions.jsonl is made
anew from the benchmark's files: edits, memories, retrieval with AutoModel, prompts, token ids, the most likely ids, scores;
then every number of results.json from the expected lines. --model: the Hugging Face folder of the weights that were
evaluated; --base-model: of those before training, where the run compares with them. Prints each difference, with the
margin of the logits where ids differ, and one JSON line a stage; ends with 1 when more than --max-different lines differ.
Free answers, and whether they stopped, are made by `generate`, greedily; their scores are not made again. Probes are built
from the program's templates by rules of this file's own; so are the edits' ages and what was said right after each. Which
records a seed drew is taken from the lines.
Follows protocol 1, 2.1-2.4, 6.1-6.4, 6.6, 6.8, 6.11 and 7.1; fluency is checked where nltk 3.9.1 is there. Run it on float32 runs.
"""
import argparse
import collections
import json
import math
import pathlib
import re
import statistics
import sys

import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

NAMES = dict(en="English", cs="Czech", cz="Czech", de="German", nl="Dutch", du="Dutch", es="Spanish", fr="French",
             pt="Portuguese", ru="Russian", th="Thai", tr="Turkish", vi="Vietnamese", zh="Chinese")
ALIASES = dict(cs="cz", cz="cs", nl="du", du="nl")
ISO = dict(cz="cs", du="nl")
KNOWEDIT = dict(zsre="ZsRE", wikibio="WikiBio", recent="wiki_recent", counterfact="wiki_counterfact")
GROUPS = (("locality", ("Relation_Specificity", "Forgetfulness")),
          ("portability", ("Reasoning", "Subject_Aliasing", "Logical_Generalization")))
METRICS = ("reliability", "generality", "locality", "portability", "negation", "fact_check", "reverse", "prefix", "persona",
           "completion", "distance")
PREFIX_TOKENS = 50
NQ = "nq question: "

Question = collections.namedtuple("Question", "metric probe text target preface before", defaults=["", ""])
Edit = collections.namedtuple("Edit", "record question target asked pair side")
Side = collections.namedtuple("Side", "subject src alt old")


def sliced(rows, text):
    if not text:
        return rows
    begin, end = (int(part) if part else None for part in text.split(":"))
    return rows[begin:end]


def side_of(row, code):
    return row.get(code) or row.get(ALIASES.get(code, code))


def parallel_file(benchmark, data, edit, test):
    data = pathlib.Path(data)
    if data.is_file():
        return data
    if benchmark == "bizsre":
        return data / "bizsre_test.json"
    if benchmark == "bmike53":
        other = test if edit == "en" else edit
        names = [f"zsre_test_{c}.json" for c in {other, ALIASES.get(other, other)}]
    else:
        edit, test = (dict(cs="cz", nl="du").get(code, code) for code in (edit, test))
        pair = edit + test if edit != test else "en" + (edit if edit != "en" else "zh")
        names = [f.name for f in data.glob(f"*_{pair}.json")]
    found = [data / name for name in names if (data / name).is_file()]
    if len(found) != 1:
        raise SystemExit(f"{data}: expected one file for {edit} -> {test}, found {len(found)}")
    return found[0]


def parallel_edits(stage, edit, test):
    rows = json.loads(parallel_file(stage["benchmark"], stage["data"], edit, test).read_text(encoding="utf-8"))
    both = [(i, side_of(row, edit), side_of(row, test)) for i, row in enumerate(rows)
            if side_of(row, edit) and side_of(row, test)]
    edits = []
    for i, own, asked in sliced(both, stage["records"]):
        questions = [Question("reliability", 0, asked["src"], asked["alt"]),
                     Question("generality", 0, asked["rephrase"], asked["alt"]),
                     Question("locality", 0, asked["loc"], asked["loc_ans"])]
        hop = asked.get("portability") or {}
        if "port" in asked:
            questions.append(Question("portability", 0, asked["port"], asked["port_ans"]))
        elif hop:
            questions.append(Question("portability", 0, hop["New Question"], hop["New Answer"]))
        side = Side(asked["subject"], asked["src"], asked["alt"], (asked.get("old") or "").strip())
        edits.append(Edit(i, own["src"], own["alt"], questions, (edit, test), side))
    return edits


def knowedit_edits(stage):
    data = pathlib.Path(stage["data"])
    if data.is_dir():
        names = dict(zsre=["ZsRE-test-all.json"], wikibio=["wikibio-test-all.json"],
                     recent=["recent_test.json", "eval_from_recent_train.json"],
                     counterfact=["test_cf.json", "eval_from_train_cf.json"])[stage["benchmark"]]
        data = next(f for name in names for f in (data / name, data / KNOWEDIT[stage["benchmark"]] / name) if f.is_file())
    lte = stage["averaging"] == "lte"
    edits = []
    for i, row in sliced(list(enumerate(json.loads(data.read_text(encoding="utf-8")))), stage["records"]):
        prompt, target = row.get("prompt", row.get("text")), row.get("target_new", row.get("labels"))
        questions = [Question("reliability", 0, prompt, target)]
        if row.get("rephrase_prompt") and not lte:
            questions.append(Question("generality", 0, row["rephrase_prompt"], target))
        for group, kinds in GROUPS:
            for kind in kinds:
                for number, probe in enumerate((row.get(group) or {}).get(kind) or []):
                    answer = probe["ground_truth"]
                    while isinstance(answer, list):
                        answer = answer[0] if answer else ""
                    if answer.strip() and not (lte and number):
                        questions.append(Question(f"{group}.{kind}", number, probe["prompt"], answer))
        old = row.get("ground_truth") or ""
        while isinstance(old, list):
            old = old[0] if old else ""
        side = Side(row.get("subject", row.get("concept")), prompt, target, old.strip())
        edits.append(Edit(i, prompt, target, questions, ("en", "en"), side))
    return edits


def probe_forms():
    """language: {name: text} of the program's templates."""
    source = (pathlib.Path(__file__).resolve().parents[2] / "core/edit/probe_templates.cpp").read_text(encoding="utf-8")
    forms = {}
    for block in source.split("{.iso = ")[1:]:
        found = re.findall(r'\.(\w+) = "((?:[^"\\]|\\.)*)"', ".iso = " + block)
        texts = {name: json.loads(f'"{text}"') for name, text in found}
        forms[texts.pop("iso")] = texts
    return forms


def plain_words(text):
    """The words of a text without case and marks."""
    import unicodedata
    text = unicodedata.normalize("NFKC", text).lower()
    return "".join(c if unicodedata.category(c)[0] not in "PSZC" else " " for c in text).split()


def names(text, part, parted):
    if not parted:
        return "".join(plain_words(part)) in "".join(plain_words(text))
    return f" {' '.join(plain_words(part))} " in f" {' '.join(plain_words(text))} "


def cut_to_tokens(text, tokenizer):
    """A piece of exactly PREFIX_TOKENS tokens."""
    starts = [0] + ([m.end() for m in re.finditer(" ", text)] or list(range(1, len(text))))
    for start in starts:
        fitting = [end for end in range(start + 1, len(text) + 1) if not text[end - 1].isspace()
                   and len(tokenizer(text[start:end], add_special_tokens=False)["input_ids"]) == PREFIX_TOKENS]
        if fitting:
            return text[start:fitting[-1]]
    raise SystemExit("the prefix cannot be cut")


def probes_of(edit, wanted, forms, prefix):
    side, iso = edit.side, ISO.get(edit.pair[1], edit.pair[1])
    src, alt, subject = side.src.strip(), side.alt.strip(), side.subject.strip()
    parted = iso not in ("zh", "th")

    def written(name, question, answer=""):
        return forms[name].replace("{answer}", "\0").replace("{question}", question).replace("\0", answer)

    if "negation" in wanted:
        yield Question("negation", 0, written("negation", src), side.alt)
    if "fact_check" in wanted:
        yield Question("fact_check.new", 0, written("fact_check", src, alt), forms["yes"].split("|")[0])
        articles = {"a", "an", "the"} if iso == "en" else set()
        bare = [[w for n, w in enumerate(plain_words(t)) if n or w not in articles] for t in (side.old, alt)]
        if side.old and bare[0] != bare[1]:
            yield Question("fact_check.old", 0, written("fact_check", src, side.old), forms["no"].split("|")[0])
    if "reverse" in wanted:
        edge = (r"(?<!\w)", r"(?!\w)") if parted else ("", "")
        begin = edge[0] if re.match(r"\w", subject) else ""
        end = edge[1] if re.search(r"\w$", subject) else ""
        gap, count = re.subn(begin + re.escape(subject) + end, "___", src)
        if count and not names(alt, subject, parted) and not names(gap, subject, parted):
            yield Question("reverse", 0, written("reverse", gap, alt), subject)
    if "prefix" in wanted:
        yield Question("prefix", 0, side.src, side.alt, preface=prefix + "\n\n")
    if "persona" in wanted:
        yield Question("persona", 0, side.src, side.alt, preface=forms["persona"] + "\n\n")
    if "completion" in wanted and src.endswith(("?", "？")):
        yield Question("completion", 0, written("completion", src), side.alt)
    if "distance" in wanted:
        yield Question("distance", 0, side.src, side.alt, before=prefix + "\n\n")


def with_probes(stage, edits, tokenizer):
    if not stage.get("probes"):
        return edits
    forms, prefixes, all_edits = probe_forms(), {}, []
    for edit in edits:
        iso = ISO.get(edit.pair[1], edit.pair[1])
        if {"prefix", "distance"} & set(stage["probes"]) and iso not in prefixes:
            prefixes[iso] = cut_to_tokens(forms[iso]["passage"], tokenizer)
        more = list(probes_of(edit, stage["probes"], forms[iso], prefixes.get(iso)))
        all_edits.append(edit._replace(asked=edit.asked + more))
    return all_edits


def streams_of(stage, tokenizer, drawn):
    """drawn: (edit, test language) -> the records of a seed in their order, or None: as in the file"""
    streams = []
    shared = stage.get("memory") == "test_language"
    for edit in stage["edit_languages"]:
        for test in stage["test_languages"]:
            edits = knowedit_edits(stage) if stage["benchmark"] in KNOWEDIT else parallel_edits(stage, edit, test)
            edits = [e._replace(pair=(edit, test)) for e in edits]
            if drawn:
                at = {e.record: e for e in edits}
                edits = [at[record] for record in drawn[edit, test]]
            if stage["nq_prefix"] == "cut":
                edits = [e._replace(asked=[q._replace(text=q.text.removeprefix(NQ)) if q.metric.startswith("locality")
                                           else q for q in e.asked]) for e in edits]
            edits = with_probes(stage, edits, tokenizer)
            same = [s for s in streams if shared and s[0].pair[1] == test]
            same[0].extend(edits) if same else streams.append(edits)
    return streams


def moments_of(stage, streams):
    """(size, stream, edit, first and last edit in memory); by age each twice, at the end and at once"""
    for size in stage["sizes"]:
        for s, edits in enumerate(streams):
            for i in range(min(size, len(edits)) if stage["mode"] == "sequential" else len(edits)):
                if stage["mode"] == "single":
                    yield size, s, i, i, i + 1
                elif stage["mode"] == "batch":
                    yield size, s, i, i // size * size, min(len(edits), i // size * size + size)
                else:
                    yield size, s, i, 0, i + 1 if stage["eval_when"] == "immediate" else size
                    if stage.get("by_age"):
                        yield size, s, i, 0, i + 1


class Encoder:
    def __init__(self, folder):
        self.tokenizer, self.model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
        pooling = pathlib.Path(folder) / "1_Pooling/config.json"
        self.cls = pooling.is_file() and json.loads(pooling.read_text()).get("pooling_mode_cls_token", False)
        limit = pathlib.Path(folder) / "sentence_bert_config.json"
        self.limit = json.loads(limit.read_text()).get("max_seq_length") if limit.is_file() else None
        self.known = {}

    def __call__(self, text):
        if text not in self.known:
            batch = self.tokenizer(text, return_tensors="pt", truncation=bool(self.limit), max_length=self.limit)
            with torch.no_grad():
                rows = self.model(**batch).last_hidden_state[0]
            self.known[text] = torch.nn.functional.normalize(rows[0] if self.cls else rows.mean(0), dim=0).double()
        return self.known[text]

    def nearest(self, query, texts, k, threshold=None):
        scores = torch.stack([self(text) for text in texts]) @ self(query)
        order = sorted(range(len(texts)), key=lambda i: (-round(scores[i].item(), 6), i))[:k]
        return [i for i in order if threshold is None or scores[i] >= threshold]


class Decoder:
    def __init__(self, folder, stage, template):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.known = {}
        chosen = stage.get("chat_template", "model")
        self.plain = (template if chosen == "model" else chosen) == "plain"
        self.easyedit = stage["scoring"] == "easyedit"

    def __call__(self, user, target):
        """Predicted ids, target ids, and the smallest margin of a prediction."""
        if (user, target) not in self.known:
            own = self.tokenizer(target, add_special_tokens=False)["input_ids"]
            if self.easyedit:
                ids = self.tokenizer(f"{user} {target}")["input_ids"]
                start = len(self.tokenizer(user)["input_ids"])
                own, at = ids[start:], range(start - 1, len(ids) - 1)
            elif self.plain:
                ids = self.tokenizer(f"{user} {target}")["input_ids"]  # no EOS: the published models' add none
                at = range(len(ids) - len(own) - 1, len(ids) - 1)
            else:
                text = self.tokenizer.apply_chat_template([{"role": "user", "content": user}], tokenize=False,
                                                          add_generation_prompt=True)
                ids = self.tokenizer(text + target + "<|im_end|>", add_special_tokens=False)["input_ids"]
                at = range(len(ids) - len(own) - 2, len(ids) - 2)
            with torch.no_grad():
                logits = self.model(torch.tensor([ids])).logits[0][list(at)]
            best = logits.topk(2).values
            self.known[user, target] = (logits.argmax(-1).tolist(), own, (best[:, 0] - best[:, 1]).min().item())
        return self.known[user, target]


def brief_words():
    """language: the sentence and the word that the program asks with."""
    source = (pathlib.Path(__file__).resolve().parents[2] / "core/edit/brief_instruction.cpp").read_text(encoding="utf-8")
    return {iso: (sentence, answer) for iso, sentence, answer in re.findall(r'\{"(\w+)", "(.*)", "(.*)"\}', source)}


class FreeAnswers:
    """What a model says by itself, one prompt at a time."""

    def __init__(self, decoder, keys):
        self.decoder, self.keys, self.words, self.known = decoder, keys, brief_words(), {}
        self.ends = set()
        for ends in (decoder.model.config.eos_token_id, decoder.model.generation_config.eos_token_id,
                     decoder.tokenizer.eos_token_id):
            self.ends |= set(ends if isinstance(ends, list) else [ends] if ends is not None else [])

    def __call__(self, context, user, test):
        """Text, and whether the model ended it."""
        if (context, user, test) not in self.known:
            tokenizer = self.decoder.tokenizer
            if context == "chat":
                text = tokenizer.apply_chat_template([{"role": "user", "content": user}], tokenize=False,
                                                     add_generation_prompt=True)
                ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            else:
                if context == "instruction":
                    sentence, answer = self.words[ISO.get(test, test)]
                    user_text = f"{sentence}\n\n{user}\n{answer}"
                else:
                    user_text = user
                ids = tokenizer(user_text)["input_ids"]
            with torch.no_grad():
                said = self.decoder.model.generate(
                    torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
                    max_new_tokens=self.keys["max_new_tokens"], eos_token_id=sorted(self.ends),
                    pad_token_id=min(self.ends))[0][len(ids):].tolist()
            stopped = said[-1] in self.ends
            self.known[context, user, test] = (
                tokenizer.decode(said[:-1] if stopped else said, skip_special_tokens=True), stopped)
        return self.known[context, user, test]


def written(stage, facts, question, test, demonstrations):
    """The user's text (protocol 2)."""
    method, stream = stage["method"], stage["mode"] != "single"
    if method == "none" or not facts:
        return bare(stage, question)
    texts = [f"{q} {a}" for q, a in facts]
    listed = texts[0] if len(texts) == 1 else "\n".join(f"{i}. {text}" for i, text in enumerate(texts, 1))
    if method == "ike":
        return f"{demonstrations}New Fact: {texts[0]}\nPrompt: {question}"
    if method == "remake":
        return (f"{demonstrations}Question: {facts[0][0]} Answer: {facts[0][1]}\n" + bare(stage, question))
    end, tag = f"query in {language(stage, test)}.", "Query"
    if method == "lte":
        end, tag = ("question.", "Question") if stream else ("query.", "Query")
    return (f"Please acknowledge the updated information provided below and respond to the subsequent {end}\n\n"
            f"[Updated Information]:\n{listed}\n\n[{tag}]:\n{question}")


def language(stage, test):
    return "Chinese" if stage["prompt_language"] == "xk" and test != "en" else NAMES[test]


def bare(stage, question):
    return f"Question: {question} Answer:" if stage["method"] == "remake" else question


def shelf(stage, pair):
    """(key, text) of every demonstration."""
    keys = stage["demonstrations"] | {"benchmark": stage["demonstrations"]["benchmark"]}
    rows = json.loads(parallel_file(keys["benchmark"], keys["data"], *pair).read_text(encoding="utf-8"))
    for row in sliced([r for r in rows if side_of(r, pair[0]) and side_of(r, pair[1])], keys["records"]):
        own, asked = side_of(row, pair[0]), side_of(row, pair[1])
        if stage["method"] == "ike":
            for question, answer in ((asked["src"], asked["alt"]), (asked["rephrase"], asked["alt"]),
                                     (asked["loc"].removeprefix(NQ), asked["loc_ans"])):
                text = f"New Fact: {own['src']} {own['alt']}\nPrompt: {question} {answer}\n\n"
                yield text, text
        else:
            text = f"Question: {own['src']} Answer: {own['alt']}\n"
            if pair[0] != pair[1]:
                text += f"Question: {asked['src']} Answer: {asked['alt']}\n"
            yield own["src"], text + "\n"


def overlap(decoder, stage, predicted, target):
    said, wanted = (decoder.tokenizer.decode(ids, skip_special_tokens=True) for ids in (predicted, target))
    a, b = (decoder.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (said, wanted))
    common = sum((collections.Counter(a) & collections.Counter(b)).values())
    if not a or not b:
        f1 = float(not a and not b)
    elif stage["f1_formula"] == "squared":
        f1 = common * common / (len(a) * len(b))
    else:
        f1 = 2 * common / (len(a) + len(b))
    return {"f1": f1, "em": float(said == wanted)}


def expected_lines(stage, decoder, base, drawn):
    streams = streams_of(stage, decoder.tokenizer, drawn)
    free = FreeAnswers(decoder, stage["free_answers"]) if "free_answers" in stage else None
    keys = stage.get("retriever")
    encoder = Encoder(keys["model_name_or_path"]) if keys else None
    shelves = {}
    retrieves = stage["mode"] != "single" and stage["method"] != "none"
    blocks = collections.defaultdict(list)
    for number, (size, s, i, begin, end) in enumerate(moments_of(stage, streams)):
        edits = streams[s]
        edit = edits[i]
        at_once = stage.get("by_age") and number % 2 == 1
        for place, question in enumerate(edit.asked):
            shown = [i]
            if retrieves:
                shown = [begin + hit for hit in encoder.nearest(question.preface + question.before + question.text, [e.question for e in edits[begin:end]],
                                                                keys["k"], keys.get("threshold"))]
            demonstrations = ""
            if "demonstrations" in stage and shown:
                if edit.pair not in shelves:
                    shelves[edit.pair] = list(shelf(stage, edit.pair))
                fact = edits[shown[0]]
                query = (f"New Fact: {fact.question} {fact.target}\nPrompt: {fact.question}\n\n"
                         if stage["method"] == "ike" else fact.question)
                best = encoder.nearest(query, [key for key, _ in shelves[edit.pair]], stage["demonstrations"]["k"])
                demonstrations = "".join(shelves[edit.pair][hit][1] for hit in best)
            user = question.preface + written(stage, [(edits[j].question, edits[j].target) for j in shown],
                                              question.before + question.text, edit.pair[1], demonstrations)
            predicted, target, margin = decoder(user, question.target)
            line = dict(record=edit.record, mode=stage["mode"], size=size, edit_language=edit.pair[0],
                        test_language=edit.pair[1], metric=question.metric, probe=question.probe, prompt=user)
            if question.metric.startswith("locality"):
                target, _, other = decoder(bare(stage, question.text), question.target)
                margin = min(margin, other)
                if base:
                    reference = base(bare(stage, question.text), question.target)[0]
                    line["base_locality"] = sum(map(int.__eq__, predicted, reference)) / len(reference)
            share = sum(map(int.__eq__, predicted, target)) / len(target)
            negated = question.metric == "negation"
            line |= dict(target_ids=target, predicted_ids=predicted, score=1 - share if negated else share,
                         retrieved=[edits[j].record for j in shown] if retrieves else None)
            if free:
                line["free"] = {context: dict(zip(("answer", "stopped"), free(context, user, edit.pair[1])))
                                for context in stage["free_answers"]["contexts"]}
            if "f1" in stage.get("extra_metrics", []):
                told = overlap(decoder, stage, predicted, target)
                line |= {key: 1 - value for key, value in told.items()} if negated else told
            if stage.get("by_age") and not at_once:
                line["age"] = end - i
            rank = next((n for n, j in enumerate(shown, 1)
                         if (edits[j].question, edits[j].target) == (edit.question, edit.target)), 0)
            block = blocks[stage["sizes"].index(size), stage["edit_languages"].index(edit.pair[0]),
                           stage["test_languages"].index(edit.pair[1])]
            if at_once:
                block[place - len(edit.asked)][0]["at_once"] = {
                    key: line[key] for key in ("prompt", "target_ids", "predicted_ids", "score", "retrieved", "free")
                    if key in line}
            else:
                block.append((line, margin, rank, edit.question))
    return [entry for _, block in sorted(blocks.items()) for entry in block]


def mean(values):
    return sum(values) / len(values)


def age_bin(age):
    first, last, factor = 1, 1, 5
    while age > last:
        first, last, factor = last + 1, last * factor, 7 - factor
    return str(first) if first == last else f"{first}-{last}"


def expected_results(stage, entries):
    """{(size, edit, test, metric): (percent, n)}"""
    results = {}
    groups = collections.defaultdict(list)
    for entry in entries:
        groups[entry[0]["size"], entry[0]["edit_language"], entry[0]["test_language"]].append(entry)
    for key, group in groups.items():
        def add(prefix, value_of, metrics=METRICS):
            for metric in metrics:
                kinds = collections.defaultdict(lambda: collections.defaultdict(list))
                for line, _, rank, _ in group:
                    value = value_of(line, rank)
                    if line["metric"].split(".")[0] == metric and value is not None:
                        kinds[line["metric"]][line["record"], line["edit_language"]].append(value)
                kinds = {kind: {r: mean(v) for r, v in records.items()} for kind, records in kinds.items()}
                for kind, records in kinds.items():
                    results[(*key, prefix + kind)] = (100 * mean(records.values()), len(records))
                if not kinds or metric in kinds:
                    continue
                if stage.get("averaging") == "lte":
                    results[(*key, prefix + metric)] = (100 * mean([mean(r.values()) for r in kinds.values()]),
                                                        sum(map(len, kinds.values())))
                else:
                    records = collections.defaultdict(list)
                    for of_kind in kinds.values():
                        for record, value in of_kind.items():
                            records[record].append(value)
                    results[(*key, prefix + metric)] = (100 * mean([mean(v) for v in records.values()]), len(records))
        add("", lambda line, _: line["score"])
        if stage.get("averaging") == "lte":
            took = {line["record"]: line["score"] for line, *_ in group if line["metric"] == "reliability"}
            for kind in {line["metric"] for line, *_ in group if "." in line["metric"]}:
                records = {line["record"] for line, *_ in group if line["metric"] == kind}
                results[(*key, "reliability." + kind)] = (100 * mean([took[r] for r in records]), len(records))
        add("base_", lambda line, _: line.get("base_locality"))
        add("f1.", lambda line, _: line.get("f1"))
        add("em.", lambda line, _: line.get("em"))
        if group[0][0]["retrieved"] is not None:
            for k in sorted({1, stage["retriever"]["k"]}):
                add(f"retrieval.hit@{k}.", lambda _, rank: float(0 < rank <= k))
                hits = [float(0 < rank <= k) for line, _, rank, _ in group if line["metric"].split(".")[0] in METRICS[:4]]
                results[(*key, f"retrieval.hit@{k}")] = (100 * mean(hits), len(hits))
        for name in {age_bin(line["age"]) for line, *_ in group if "age" in line}:
            for at_once, infix in ((False, ""), (True, "at_once.")):
                add(f"age.{name}.{infix}", lambda line, _: (line["at_once"] if at_once else line)["score"]
                    if age_bin(line["age"]) == name else None, METRICS[:2])
    return results


def fluency_of(folder, entries):
    """{(size, edit, test): (mean, n)} from the generated texts, by NLTK; {} without it."""
    try:
        import nltk
        import unicodedata
        from nltk.tokenize import NLTKWordTokenizer
        from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer
    except ImportError:
        return {}
    source = (pathlib.Path(__file__).resolve().parents[2] / "core/metrics/sentence_split.cpp").read_text(encoding="utf-8")
    parameters = PunktParameters()
    listed = source[source.index("kAbbreviations[]"):]
    parameters.abbrev_types = set(re.findall(r'"([a-z.]+)"', listed[:listed.index("};")]))
    punkt, treebank = PunktSentenceTokenizer(parameters), NLTKWordTokenizer()
    questions = sorted({question for _, _, _, question in entries}, key=lambda text: text.encode())
    texts = [json.loads(line)["text"] for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
             if "text" in line[:8]][-len(questions):]

    def entropy(words):
        total = 0.0
        for n, weight in ((2, 2 / 3), (3, 4 / 3)):
            counts = collections.Counter(nltk.ngrams(words, n))
            whole = sum(counts.values())
            total -= weight * sum(c / whole * math.log2(c / whole) for c in counts.values()) if whole else 0
        return total / 2

    values = {}
    for question, text in zip(questions, texts, strict=True):
        text = unicodedata.normalize("NFKD", text).replace("\n\n", " ").replace("<|endoftext|>", "")
        values[question] = entropy([w for s in punkt.tokenize(text) for w in treebank.tokenize(s)])
    groups = collections.defaultdict(dict)
    for line, _, _, question in entries:
        groups[line["size"], line["edit_language"], line["test_language"]][line["record"]] = values[question]
    return {(*key, "fluency"): (100 * mean(of.values()), len(of)) for key, of in groups.items()}


def check_part(folder, stage, entries, lines, rows):
    """How many lines and rows were looked at that are not as expected, and how many numbers."""
    different = 0
    if len(lines) != len(entries):
        print(f"{folder.name}: expected {len(entries)} lines, found {len(lines)}")
        different += abs(len(lines) - len(entries))
    for line, (expected, margin, _, _) in zip(lines, entries):
        if "free" in line:  # the answers themselves; their scores have tests of their own
            for one in [line] + ([line["at_once"]] if "at_once" in line else []):
                one["free"] = {context: {key: told[key] for key in ("answer", "stopped")}
                               for context, told in one["free"].items()}
        wrong = [key for key, value in expected.items()
                 if not (math.isclose(line.get(key, math.nan), value, abs_tol=1e-9) if isinstance(value, float)
                         else line.get(key) == value)]
        if wrong:
            different += 1
            print(f"{folder.name}: record {expected['record']} {expected['metric']} size {expected['size']} margin {margin:.2g}: "
                  + "; ".join(f"{key}: expected {expected[key]!r}, found {line.get(key)!r}" for key in wrong))
    expected = expected_results(stage, entries)
    if "fluency" in stage.get("extra_metrics", []):
        expected |= fluency_of(folder, entries)
    numbers = 0
    for row in rows:
        key = (row["size"], row["edit_language"], row["test_language"], row["metric"])
        made_of_free = row["metric"].startswith(("exact.", "free.", "base_free.")) or (
            row["metric"].startswith("age.") and ".free." in row["metric"])
        if made_of_free or (row["metric"] == "fluency" and key not in expected):
            continue
        value, n = expected.pop(key, (None, 0))
        numbers += 1
        if row["n"] != n or (value is None) != (row["value"] is None) or (value is not None
                                                                         and abs(value - row["value"]) > 0.00501):
            different += 1
            print(f"{folder.name}: {key}: expected {value} (n {n}), found {row['value']} (n {row['n']})")
    for key in expected:
        different += 1
        print(f"{folder.name}: {key}: expected {expected[key]}, found nothing")
    return different, numbers


def drawn_by(lines):
    """(edit, test language) -> the records in the order in which the largest size asks them."""
    drawn = collections.defaultdict(dict)
    largest = max(line["size"] for line in lines)
    for line in lines:
        if line["size"] == largest:
            drawn[line["edit_language"], line["test_language"]].setdefault(line["record"])
    return {pair: list(records) for pair, records in drawn.items()}


def check_means(folder, rows):
    """Rows over seeds against those of each seed."""
    of_seeds = collections.defaultdict(list)
    different = numbers = 0
    for row in rows:
        key = (row["size"], row["edit_language"], row["test_language"], row["metric"])
        if row.get("seed") is not None:
            of_seeds[key].append(row)
            continue
        numbers += 1
        values = [one["value"] for one in of_seeds[key] if one["value"] is not None]
        expected = (mean(values) if values else None, statistics.stdev(values) if len(values) > 1 else None)
        close = all((a is None) == (b is None) and (a is None or abs(a - b) < 0.00501)
                    for a, b in zip(expected, (row["value"], row["spread"])))
        if not close or row["seeds"] != len(values) or row["n"] != sum(one["n"] for one in of_seeds[key]):
            different += 1
            print(f"{folder.name}: {key}: expected mean and spread {expected}, found {row['value']}, {row['spread']}")
    return different, numbers


def check(folder, stage, decoder, base):
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    found = []
    for seed in stage.get("seeds", [None]):
        of_seed = [line for line in lines if line.get("seed") == seed]
        entries = expected_lines(stage, decoder, base, drawn_by(of_seed) if seed is not None else None)
        found.append(check_part(folder, stage, entries, of_seed, [row for row in rows if row.get("seed") == seed]))
    if "seeds" in stage:
        found.append(check_means(folder, rows))
    different, numbers = (sum(counts) for counts in zip(*found))
    print(json.dumps(dict(stage=folder.name, benchmark=stage["benchmark"], mode=stage["mode"], method=stage["method"],
                          lines=len(lines), numbers=numbers, different=different)), flush=True)
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--base-model")
    parser.add_argument("--stage", nargs="+", help="numbers of stages, as 01; default: all evaluations")
    parser.add_argument("--max-different", type=int, default=0)
    options = parser.parse_args()
    recipe = json.loads((options.run / "run.json").read_text(encoding="utf-8"))["recipe"]
    different = 0
    for number, stage in enumerate(recipe["stages"], 1):
        folder = options.run / f"{number:02d}-evaluate"
        if "evaluate" not in stage or (options.stage and f"{number:02d}" not in options.stage):
            continue
        if not (folder / "DONE").is_file():
            raise SystemExit(f"{folder}: expected a finished stage")
        stage = stage["evaluate"]
        trained = any(name in s for s in recipe["stages"][:number] for name in ("sft", "orpo"))
        base = None
        if trained and stage["base_locality"]:
            if not options.base_model:
                raise SystemExit(f"{folder}: expected --base-model, as the stage compares with it")
            base = Decoder(options.base_model, stage, recipe["model"]["chat_template"])
        different += check(folder, stage, Decoder(options.model, stage, recipe["model"]["chat_template"]), base)
    sys.exit(different > options.max_different)


if __name__ == "__main__":
    main()
