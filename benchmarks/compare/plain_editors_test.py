"""What must hold of the plain editors, on a tiny random Llama in fp64 with invented facts: check_editors.py --self-test."""
import copy
import json
import pathlib
import tempfile
import time

import h5py
import tokenizers
import torch
import transformers

import check_editors
import plain_editors
from plain_editors import METHODS, Request, Session

FACTS = [Request("The harbour of Velm:", "Velm", "Ostara"),
         Request("Who leads the Order of Rime?", "Order of Rime", "Ida"),
         Request("Where is 日本の橋?", "日本の橋", "Tessel"),
         Request("The river below Orvane", "Orvane", "Lorne")]
OF_PASSES = 1e-6  # transformers norms and rotates in fp32
TEMPLATES = ["{}", "It is well known. {}", "Then: {}"]
LAYERS = [1, 2]
TUNED = dict(learning_rate=1e-2, steps=8, stop_loss=1e-2, batch_size=100, matrices=[(2, "down_proj")])
VALUES = dict(learning_rate=0.5, steps=12, stop_loss=0.05, weight_decay=1e-3, clamp_norm=4.0, kl_factor=0.0625,
              matrices=[(layer, "down_proj") for layer in LAYERS], cov_weight=1e-3, emmet_lambda=0.01, null_threshold=2e-2, l2=1e-2)
OPTIONS = {
    "ft_l": TUNED, "ft_m": TUNED, "locft_bf": TUNED | dict(epochs=6, batch_size=3),
    "lora": TUNED | dict(learning_rate=5e-3, steps=12, lora_r=8, lora_alpha=32,
                         matrices=[(layer, module) for module in ("q_proj", "v_proj") for layer in range(4)]),
    "rome": VALUES | dict(matrices=[(1, "down_proj")], steps=20), "memit": VALUES, "memit_history": VALUES, "emmet": VALUES,
    "alphaedit": VALUES | dict(cov_weight=0),
    "ultraedit": dict(learning_rate=0.05, matrices=[(1, "gate_proj"), (2, "gate_proj"), (2, "up_proj"), (1, "down_proj")])}
# What newer papers add: NAS, BetaEdit, StableEdit.
VARIANTS = [("memit", dict(anchor_edits=2)), ("alphaedit", dict(anchor_edits=1)),
            ("alphaedit", dict(cov_weight=3.0, refresh_every=2)), ("ultraedit", dict(whiten=True, ridge=10))]
SEED = 11


def tiny_tokenizer():
    """Every byte a token, as GPT-2 writes bytes, and <s> before each text."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={c: i for i, c in enumerate(["<s>", "</s>", *alphabet])}, merges=[]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>")


def tiny_model():
    torch.manual_seed(7)
    config = transformers.LlamaConfig(vocab_size=258, hidden_size=32, intermediate_size=48, num_hidden_layers=4,
                                      num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
                                      attn_implementation="eager")
    model = transformers.LlamaForCausalLM(config).double()
    with torch.no_grad():  # as drawn, the model says the same of everything
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(10)
    return model


def tiny_covariance(model, tokenizer):
    """Of the layers: the mean of k kᵀ over some text, with a null space of twelve directions."""
    found = {}
    for layer in range(4):
        keys = []
        for fact in FACTS:
            ids = tokenizer(f"{fact.target} and {fact.prompt}")["input_ids"]
            with plain_editors.hooked(model.model.layers[layer].mlp.down_proj, lambda k, _: keys.append(k.detach())):
                model(torch.tensor([ids]))
        keys = torch.cat(keys)
        _, vectors = torch.linalg.eigh(keys.T @ keys)
        keys = keys - keys @ vectors[:, :12] @ vectors[:, :12].T
        found[layer] = 10 * keys.T @ keys / len(keys) + 1e-3 * torch.eye(keys.shape[1])
    return found


class Bench:
    def __init__(self):
        self.tokenizer, self.model = tiny_tokenizer(), tiny_model()
        self.covariance = tiny_covariance(self.model, self.tokenizer)

    def session(self, method, **options):
        covariance = {} if method == "rome" else self.covariance
        return Session(copy.deepcopy(self.model), self.tokenizer, OPTIONS[method] | options, TEMPLATES, covariance,
                       pilots=FACTS[:options.get("anchor_edits", 0)])

    def loss(self, session, facts=FACTS, templates=("{}",)):
        """The mean over facts and contexts."""
        with torch.no_grad():
            losses = [plain_editors.target_loss(session, plain_editors.target_in(session, fact, template)).item()
                      for fact in facts for template in templates]
        return sum(losses) / len(losses)


def close(a, b, most=1e-9):
    difference = ((a - b).norm() / b.norm()).item()
    assert difference <= most, f"relative difference {difference}"


def random_system(f=24, d=10, u=4):
    torch.manual_seed(3)
    keys, residuals = torch.randn(f, u).double(), torch.randn(d, u).double()
    some, earlier = torch.randn(2 * f, f).double(), torch.randn(f, 3).double()
    return keys, residuals, some.T @ some / len(some), earlier


def woodbury(a, keys, residuals, s):
    """R S⁻¹ Fᵀ with F = A⁻¹K and S = s·I + KᵀF."""
    f = torch.linalg.inv(a) @ keys
    return residuals @ torch.linalg.inv(s * torch.eye(keys.shape[1]).double() + keys.T @ f) @ f.T


# Claims

def subject_ends_in_the_token_of_its_last_byte(bench):
    session, fact = bench.session("rome"), FACTS[2]
    for template in TEMPLATES:
        ids, place = plain_editors.prompt_in(session, fact, template)
        head = template.replace("{}", fact.prompt)[:template.index("{}") + fact.prompt.index(fact.subject) + 4]
        assert place == len(head.encode()), (template, place)  # <s> stands before the first byte
        assert bench.tokenizer.decode(ids[1:place + 1]) == head


def targets_are_those_behind_the_prompt(bench):
    sequence = plain_editors.target_in(bench.session("rome"), FACTS[0], TEMPLATES[1])
    assert bench.tokenizer.decode(sequence.targets) == " Ostara"
    assert bench.tokenizer.decode(sequence.ids[1:]) == "It is well known. The harbour of Velm: Ostara"


def target_loss_is_transformers_own(bench):
    session = bench.session("ft_m")
    for fact in FACTS:
        sequence = plain_editors.target_in(session, fact)
        ids = torch.tensor([sequence.ids])
        labels = ids.clone()
        labels[:, :sequence.begin] = -100
        close(plain_editors.target_loss(session, sequence), session.model(ids, labels=labels).loss.double(), OF_PASSES)


def last_place_loss_reads_one_row(bench):
    session = bench.session("ft_l")
    sequence = plain_editors.target_in(session, FACTS[1])
    row = session.model(torch.tensor([bench.tokenizer(FACTS[1].prompt)["input_ids"]])).logits[0, -1]
    expected = sum(torch.nn.functional.cross_entropy(row, torch.tensor(t)) for t in sequence.targets) / len(sequence.targets)
    close(plain_editors.last_place_loss(session, sequence), expected, OF_PASSES)


def first_loss_of_a_value_vector_is_that_of_its_contexts(bench):
    session = bench.session("memit", steps=1)
    module = session.blocks[2]
    value, note = plain_editors.value_vector(session, FACTS[0], module)
    expected = sum(plain_editors.target_loss(session, plain_editors.target_in(session, FACTS[0], t)) for t in TEMPLATES) / 3
    close(torch.tensor(note["loss"]).double(), expected, OF_PASSES)
    close(value, plain_editors.seen(session, module, *plain_editors.prompt_in(session, FACTS[0]))[1], OF_PASSES)
    assert note["steps"] == 1


def value_vectors_lower_the_loss_within_the_clamp(bench):
    for clamp in (0.1, 4.0):
        session = bench.session("memit", clamp_norm=clamp, steps=25)
        session.templates = ["{}"]
        module = session.blocks[2]
        first = bench.loss(session, FACTS[3:])
        start = plain_editors.seen(session, module, *plain_editors.prompt_in(session, FACTS[3]))[1]
        value, note = plain_editors.value_vector(session, FACTS[3], module)
        assert note["loss"] < first, (note, first)
        assert (value - start).norm() <= clamp * start.norm() * (1 + 1e-12)


def value_vectors_follow_the_gradient_of_the_whole_loss(bench):
    """After the first update of Adam, δ is −lr·sign of the loss's gradient, here taken by differences."""
    session = bench.session("rome", steps=2, clamp_norm=1e9, learning_rate=0.5, kl_factor=3.0)
    _, module = session.matrix(1, "down_proj")
    start = plain_editors.seen(session, module, *plain_editors.prompt_in(session, FACTS[0]))[1]
    delta = plain_editors.value_vector(session, FACTS[0], module)[0] - start

    def loss(shift):
        total = 0
        for template in TEMPLATES:
            sequence = plain_editors.target_in(session, FACTS[0], template)
            with plain_editors.shifted(module, sequence.subject, shift):
                total += plain_editors.target_loss(session, sequence).item() / len(TEMPLATES)
        return total  # the gradients of the other terms are zero where δ is

    for i in range(0, len(delta), 5):
        step = torch.zeros_like(delta)
        step[i] = 1e-3
        slope = (loss(step) - loss(-step)) / 2e-3
        assert abs(slope) < 1e-3 or (delta[i] * slope < 0 and abs(abs(delta[i].item()) - 0.5) < 1e-4), (i, slope, delta[i])


def padded_contexts_find_the_same_vector(bench):
    session = bench.session("memit")
    module = session.blocks[session.options["matrices"][-1][0]]
    alone, note = plain_editors.value_vector(session, FACTS[0], module)
    session.padded = True
    padded, noted = plain_editors.value_vector(session, FACTS[0], module)
    close(padded, alone, 1e-5)
    assert note["steps"] == noted["steps"]


def memit_is_its_woodbury_form(_):
    keys, residuals, covariance, earlier = random_system()
    weighted, earlier = 5 * covariance, earlier @ earlier.T
    close(plain_editors.memit_change(keys, residuals, weighted, earlier, {}), woodbury(weighted + earlier, keys, residuals, 1))


def remembered_keys_are_a_smaller_inverse(_):
    keys, residuals, covariance, _ = random_system()
    inverse = torch.linalg.inv(covariance)
    f = inverse @ keys
    inverse = inverse - f @ torch.linalg.inv(torch.eye(keys.shape[1]).double() + keys.T @ f) @ f.T
    close(inverse, torch.linalg.inv(covariance + keys @ keys.T))


def emmet_is_its_woodbury_form_and_tends_to_equality(_):
    keys, residuals, covariance, _ = random_system()
    close(plain_editors.emmet_change(keys, residuals, covariance, 0, {"emmet_lambda": 0.1}),
          woodbury(covariance, keys, residuals, 0.1))
    errors = [(plain_editors.emmet_change(keys, residuals, covariance, 0, {"emmet_lambda": s}) @ keys - residuals).norm()
              for s in (1.0, 1e-3, 1e-10)]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-8 * residuals.norm(), errors


def alphaedit_is_its_reduced_form(_):
    keys, residuals, covariance, earlier = random_system()
    values, vectors = torch.linalg.eigh(covariance)
    threshold = (values[9] + values[10]).item() / 2
    projection = plain_editors.null_projection(covariance, {"null_threshold": threshold})
    found = plain_editors.alphaedit_change(keys, residuals, projection, earlier @ earlier.T, {"l2": 0.7})
    u = vectors[:, :10]
    a = 0.7 * torch.eye(10).double() + u.T @ earlier @ earlier.T @ u
    close(found, woodbury(a, u.T @ keys, residuals, 1) @ u.T)
    assert (found @ vectors[:, 10:]).norm() < 1e-9 * found.norm()  # what the rest of the keys gives is as before


def betaedit_is_its_reduced_form(_):
    keys, residuals, covariance, earlier = random_system()
    values, vectors = torch.linalg.eigh(covariance)
    u, options = vectors[:, :10], {"l2": 0.7, "cov_weight": 3.0}
    beside = earlier @ earlier.T + plain_editors.weighed_beside_keys(covariance, options)
    found = plain_editors.alphaedit_change(keys, residuals, u @ u.T, beside, options)
    a = 0.7 * torch.eye(10).double() + u.T @ (earlier @ earlier.T + 3.0 * covariance) @ u
    close(found, woodbury(a, u.T @ keys, residuals, 1) @ u.T)


def a_refresh_sees_all_earlier_keys(bench):
    session = bench.session("alphaedit", cov_weight=3.0, refresh_every=2)
    METHODS["alphaedit"](session, FACTS[:1])
    METHODS["alphaedit"](session, FACTS[1:2])
    assert session.since == 2
    earlier = dict(session.memory)
    METHODS["alphaedit"](session, FACTS[2:])
    assert session.remembered == 4 and session.since == 2
    for layer in LAYERS:
        mixed = (earlier[layer] / 2 + 3.0 * bench.covariance[layer]) / 4.0
        close(session.prepared[layer], plain_editors.null_projection(mixed, session.options))
        clean = plain_editors.null_projection(bench.covariance[layer], session.options)
        assert (session.prepared[layer] - clean).norm() > 0.1


def whitened_rows_have_no_covariance(_):
    torch.manual_seed(5)
    rows = torch.randn(500, 9).double() @ torch.randn(9, 9).double()
    normalizer = plain_editors.Normalizer(9, rows, whole=4)
    normalizer.grow(rows[:3])
    plain = plain_editors.Normalizer(9, rows)
    plain.grow(rows[:3])
    assert torch.equal(normalizer.normed(rows), plain.normed(rows))  # three rows say nothing of four columns
    for part in rows[3:].split(100):
        normalizer.grow(part)
        plain.grow(part)
    close(normalizer.products.diagonal(), plain.m2[5:])
    close(torch.cov(normalizer.normed(rows)[:, 5:].T), torch.eye(4).double(), 2e-2)
    close(normalizer.normed(rows)[:, :5], plain.normed(rows)[:, :5])


def values_are_as_long_as_their_anchor(bench):
    session = bench.session("memit", cov_weight=1e-9, anchor_edits=2, matrices=[(2, "down_proj")])
    session.templates = ["{}"]
    _, linear = session.matrix(2, "down_proj")
    METHODS["memit"](session, FACTS[:1])
    length = plain_editors.seen(session, linear, *plain_editors.prompt_in(session, FACTS[0]))[1].norm().item()
    assert abs(length - session.anchor) < 1e-4 * session.anchor, (length, session.anchor)
    short = bench.session("memit", anchor_edits=2)
    short.anchor = 1e-9  # all are too long
    METHODS["memit"](short, FACTS)
    for name, _ in short.matrices():
        close(check_editors.weights_of(short.model)[name], check_editors.weights_of(bench.model)[name], 1e-12)


def ultraedit_is_its_dual_form(_):
    keys, residuals, _, _ = random_system()
    inputs, values = keys.T, residuals.T
    for ridge in (1, 10):
        dual = values.T @ torch.linalg.inv(inputs @ inputs.T + ridge * torch.eye(4).double()) @ inputs
        close(plain_editors.ultraedit_change(inputs, values, ridge), dual)


def normalizer_is_the_mean_and_nearly_the_variance(_):
    torch.manual_seed(5)
    rows = 3 + 2 * torch.randn(4000, 6).double()
    normalizer = plain_editors.Normalizer(6, rows)
    for part in rows.split(900):
        normalizer.grow(part)
    close(normalizer.mean, rows.mean(0))
    close((normalizer.m2 / (normalizer.count - 1)).sqrt(), rows.std(0), 2e-3)
    one = plain_editors.Normalizer(6, rows)
    one.grow(rows)
    close(one.m2, len(rows) * rows.var(0))  # and not (m − 1) times


def rome_maps_the_key_to_the_value(bench):
    for covariance in ({}, bench.covariance):
        session = bench.session("rome")
        session.covariance = covariance
        _, linear = session.matrix(1, "down_proj")
        wanted, _ = plain_editors.value_vector(session, FACTS[1], linear)
        METHODS["rome"](session, FACTS[1:2])
        close(plain_editors.seen(session, linear, *plain_editors.prompt_in(session, FACTS[1]))[1], wanted, OF_PASSES)


def closed_forms_reach_their_values(bench):
    """With hardly any weight on what was there, the last block gives each request's z."""
    for method, options in (("memit", dict(cov_weight=1e-9)), ("emmet", dict(emmet_lambda=1e-9))):
        session = bench.session(method, **options)
        session.templates = ["{}"]
        last = session.blocks[LAYERS[-1]]
        wanted = [plain_editors.value_vector(session, fact, last)[0] for fact in FACTS]
        METHODS[method](session, FACTS)
        for fact, value in zip(FACTS, wanted, strict=True):
            close(plain_editors.seen(session, last, *plain_editors.prompt_in(session, fact))[1], value, 1e-4)


def history_is_kept_and_matters(bench):
    for method in ("memit_history", "alphaedit"):
        kept, forgotten = bench.session(method), bench.session(method)
        for group in (FACTS[:2], FACTS[2:]):
            METHODS[method](kept, group)
            forgotten.memory.clear()
            METHODS[method](forgotten, group)
        names = [name for name, _ in kept.matrices()]
        ours, theirs = (check_editors.weights_of(session.model) for session in (kept, forgotten))
        assert all(not torch.equal(ours[name], theirs[name]) for name in names)
        assert all(torch.linalg.matrix_rank(kept.memory[layer]) == len(FACTS) for layer in LAYERS)


def every_method_lowers_the_loss_and_changes_its_matrices_alone(bench):
    for method in METHODS:
        # What ROME writes next moves what it wrote before, in so small a model as far as it came.
        facts = FACTS[:1] if method == "rome" else FACTS
        session = bench.session(method)
        before, start = {n: t.clone() for n, t in check_editors.weights_of(session.model).items()}, bench.loss(session, facts, TEMPLATES)
        noted = METHODS[method](session, facts)
        after, end = check_editors.weights_of(session.model), bench.loss(session, facts, TEMPLATES)
        changed = {name for name in after if not torch.equal(before[name], after[name])}
        assert changed == {name for name, _ in session.matrices()}, (method, changed)
        assert end < start, (method, start, end)
        if method in ("ft_m", "lora", "locft_bf"):
            assert noted["losses"][-1] < noted["losses"][0], (method, noted)
        print(f"  {method:14} loss {start:.3f} -> {end:.3f}")


def merged_lora_is_the_adapter(bench):
    session = bench.session("lora", steps=3)
    losses = METHODS["lora"](session, FACTS)["losses"]
    again = bench.session("lora", steps=4)
    torch.manual_seed(1)
    again.adapters = {name: torch.randn(8, linear.in_features) / 10 for name, linear in again.matrices()}
    session.model, session.adapters = copy.deepcopy(bench.model), again.adapters
    METHODS["lora"](session, FACTS)
    assert len(losses) == 3
    last = METHODS["lora"](again, FACTS)["losses"][-1]  # the loss that the fourth step finds
    assert abs(bench.loss(session) - last) < OF_PASSES * last, (bench.loss(session), last)


def norm_limit_keeps_weights_near(bench):
    session = bench.session("ft_m", norm_limit=5e-3)
    before = check_editors.weights_of(bench.model)
    METHODS["ft_m"](session, FACTS)
    ((name, linear),) = session.matrices()
    largest = (linear.weight - before[name]).abs().max().item()
    assert abs(largest - 5e-3) < 1e-12, largest


def locft_passes_over_what_is_known(bench):
    session = bench.session("locft_bf", stop_loss=1e9)
    losses = METHODS["locft_bf"](session, FACTS)["losses"]
    ((name, linear),) = session.matrices()
    assert len(losses) == 2 and torch.equal(linear.weight, check_editors.weights_of(bench.model)[name])


def modules_of(matrices):
    found = {}
    for layer, module in matrices:
        found.setdefault(module, []).append(layer)
    return found


def write_stage(folder, session, method, groups):
    """Edits groups, and leaves the folder that a run leaves."""
    folder.mkdir()
    edits = []
    for group in groups:
        before = list(session.orders)
        noted = METHODS[method](session, group)
        values = noted.get("values", [{"steps": 1, "loss": 1.0}] * len(group))
        first = len(edits)
        edits += [{"prompt": fact.prompt, "subject": fact.subject, "target": fact.target, "written": True} | value
                  for fact, value in zip(group, values, strict=True)]
        edits.insert(first + 1, {"prompt": "?", "subject": "", "target": "", "written": False, "reason": "none"})
        edits[first] |= {"batch": [first, len(edits)], "batch_losses": noted.get("losses", []),
                         "batch_orders": before[:len(before) - len(session.orders)]}
    (folder / "edits.jsonl").write_text("".join(json.dumps(edit) + "\n" for edit in edits), encoding="utf-8")
    with h5py.File(folder / "weights.h5", "w") as file:
        for name, linear in session.matrices():
            file[f"weights/{name}"] = linear.weight.numpy()
    with h5py.File(folder / "moments.h5", "w") as file:
        for layer, matrix in session.covariance.items():
            file[f"layers/{layer}/down_proj"] = matrix.numpy()
    editor = {key: value for key, value in session.options.items() if key != "matrices"}
    (folder / "statistics.json").write_text(json.dumps({
        "method": method, "editor": editor | {"modules": modules_of(session.options["matrices"])},
        "context_templates": TEMPLATES, "covariance": str(folder / "moments.h5") if session.covariance else "",
    }), encoding="utf-8")
    (folder.parent / "run.json").write_text(json.dumps({"recipe": {"seed": SEED}}), encoding="utf-8")


def the_check_accepts_a_true_run_and_refuses_a_damaged_one(bench):
    for method, options in [*((method, {}) for method in METHODS), *VARIANTS]:
        session = bench.session(method, steps=3, **options)
        if method == "lora":
            session.adapters = {name: check_editors.first_adapter(name, 8, linear.in_features, SEED)
                                for name, linear in session.matrices()}
        session.orders = [[1, 0], [0, 1]] * OPTIONS["locft_bf"]["epochs"] if method == "locft_bf" else []
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder) / "01-edit"
            write_stage(place, session, method, [FACTS[:2], FACTS[2:]])
            model = copy.deepcopy(bench.model)
            _, summary, bad = check_editors.check_stage(check_editors.Stage(place), model, bench.tokenizer, METHODS)
            assert not bad and summary["worst_matrix"] < 1e-5 and summary["edits"] == len(FACTS), summary
            with h5py.File(place / "weights.h5", "r+") as file:
                name = next(name for name, _ in session.matrices())
                before = check_editors.weights_of(bench.model)[name].numpy()
                file[f"weights/{name}"][...] = before + 1.002 * (file[f"weights/{name}"][...] - before)
            rows, summary, bad = check_editors.check_stage(check_editors.Stage(place), model, bench.tokenizer, METHODS)
            assert bad and [row["tensor"] for row in rows if row["different"]] == [name], summary


CLAIMS = [
    subject_ends_in_the_token_of_its_last_byte, targets_are_those_behind_the_prompt, target_loss_is_transformers_own,
    last_place_loss_reads_one_row, first_loss_of_a_value_vector_is_that_of_its_contexts,
    value_vectors_lower_the_loss_within_the_clamp, value_vectors_follow_the_gradient_of_the_whole_loss,
    padded_contexts_find_the_same_vector,
    memit_is_its_woodbury_form, remembered_keys_are_a_smaller_inverse, emmet_is_its_woodbury_form_and_tends_to_equality,
    alphaedit_is_its_reduced_form, betaedit_is_its_reduced_form, a_refresh_sees_all_earlier_keys,
    whitened_rows_have_no_covariance, values_are_as_long_as_their_anchor, ultraedit_is_its_dual_form, normalizer_is_the_mean_and_nearly_the_variance,
    rome_maps_the_key_to_the_value, closed_forms_reach_their_values, history_is_kept_and_matters,
    every_method_lowers_the_loss_and_changes_its_matrices_alone, merged_lora_is_the_adapter, norm_limit_keeps_weights_near,
    locft_passes_over_what_is_known, the_check_accepts_a_true_run_and_refuses_a_damaged_one]


def main():
    bench, failed = Bench(), 0
    for claim in CLAIMS:
        start = time.perf_counter()
        try:
            claim(bench)
            print(f"passed {claim.__name__} ({time.perf_counter() - start:.1f} s)", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAILED {claim.__name__}: {error}", flush=True)
    print(f"{len(CLAIMS) - failed} passed, {failed} failed")
    return failed > 0
