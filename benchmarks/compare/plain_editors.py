"""The weight editors of docs/decisions/0009-editors.md once more, in plain PyTorch and transformers.

Written from that page's formulas for check_editors.py: one request at a time, dense matrices, every sum as it stands
there, and clear rather than fast. `METHODS[name](session, requests)` writes a group of requests into the session's model
in place and returns what it noted: {"losses": […]} of each step, or {"values": [{"steps", "loss"}, …]} of each request.
"""
import contextlib
import dataclasses

import torch


@dataclasses.dataclass(frozen=True)
class Request:
    prompt: str
    subject: str
    target: str


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Token ids of a text with the target behind it; `begin` is the place of the target's first id."""
    ids: list
    begin: int
    subject: int  # place of the subject's last token; None where none was asked for

    @property
    def targets(self):
        return self.ids[self.begin:]


@dataclasses.dataclass
class Session:
    """A model with what a method needs beside the requests, and what it remembers from group to group."""
    model: torch.nn.Module
    tokenizer: object
    options: dict
    templates: list = dataclasses.field(default_factory=lambda: ["{}"])
    covariance: dict = dataclasses.field(default_factory=dict)  # layer: fp64 [F, F], the mean of k kᵀ
    adapters: dict = dataclasses.field(default_factory=dict)  # tensor name: A of LoRA, [r, F], to begin with
    orders: list = dataclasses.field(default_factory=list)  # of locft_bf: the requests of each epoch; empty: in turn
    end_id: int = None  # of a text; None: the tokenizer's
    prepared: dict = dataclasses.field(default_factory=dict)  # layer: what a closed form makes of its covariance
    memory: dict = dataclasses.field(default_factory=dict)  # layer: Σ k kᵀ of earlier groups
    remembered: int = 0  # requests in the memory
    since: int = 0  # of these, those behind the last refresh
    pilots: list = dataclasses.field(default_factory=list)  # of NAS: requests whose values make the anchor
    anchor: float = None
    normalizers: dict = dataclasses.field(default_factory=dict)  # shape of a matrix: Normalizer
    padded: bool = False  # all contexts of a request are one padded batch; else one after another

    def __post_init__(self):
        self.model.eval()
        self.model.requires_grad_(False)
        self.model.config.use_cache = False
        if self.templates[:1] != ["{}"] or any(template.count("{}") != 1 for template in self.templates):
            raise SystemExit(f"context templates: expected one {{}} in each and {{}} alone first, found {self.templates}")

    @property
    def blocks(self):
        return self.model.model.layers

    def matrix(self, layer, module):
        """(tensor name, the linear) of a module in a block."""
        found = [(path, linear) for path, linear in self.blocks[layer].named_modules() if path.split(".")[-1] == module]
        if len(found) != 1:
            raise SystemExit(f"layer {layer}: expected one module {module}, found {len(found)}")
        return f"model.layers.{layer}.{found[0][0]}.weight", found[0][1]

    def matrices(self):
        """(tensor name, the linear) of all that the options name."""
        return [self.matrix(layer, module) for layer, module in self.options["matrices"]]

    def logits(self, ids):
        return self.model(torch.tensor([ids], device=self.model.device)).logits[0]


# Texts

def target_sequence(session, text, target):
    """"text target" as teacher forcing asks it (protocol 6.2): the target's ids are those behind the text's."""
    ids = session.tokenizer(f"{text} {target}")["input_ids"]
    begin = len(session.tokenizer(text)["input_ids"])
    if not 0 < begin < len(ids):
        raise SystemExit(f"target: expected at least one token behind {text!r}, found none in {target!r}")
    return Sequence(ids, begin, None)


def last_token(session, text, end):
    """(ids, the token in which the byte before character `end` of a text lies)."""
    encoded = session.tokenizer(text, return_offsets_mapping=True)
    # The bytes of one character may be several tokens, all with its offsets.
    covering = [i for i, (first, behind) in enumerate(encoded["offset_mapping"]) if first < end and behind > first]
    if not covering:
        raise SystemExit(f"no token of {text!r} begins before character {end}")
    return encoded["input_ids"], covering[-1]


def end_of_subject(request):
    at = request.prompt.find(request.subject)
    if at < 0 or not request.subject:
        raise SystemExit(f"subject {request.subject!r}: not in the prompt {request.prompt!r}")
    return at + len(request.subject)


def prompt_in(session, request, template="{}"):
    """A prompt alone, in a context: (ids, place of the subject's last token)."""
    text = template.replace("{}", request.prompt, 1)
    return last_token(session, text, template.index("{}") + end_of_subject(request))


def target_in(session, request, template="{}"):
    """A prompt in a context with the target behind it."""
    text = template.replace("{}", request.prompt, 1)
    sequence = target_sequence(session, text, request.target)
    _, place = last_token(session, f"{text} {request.target}", template.index("{}") + end_of_subject(request))
    return dataclasses.replace(sequence, subject=place)


# Passes

@contextlib.contextmanager
def hooked(module, function):
    """function(input, output) of a module gives its output in its place; [length, width] of the one sequence."""
    def hook(_, inputs, output):
        whole = output[0] if isinstance(output, tuple) else output
        changed = function(inputs[0][0], whole[0])
        if changed is None:
            return None
        changed = changed.unsqueeze(0)
        return (changed, *output[1:]) if isinstance(output, tuple) else changed
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def shifted(module, place, delta):
    """delta is added to a module's output at a place."""
    def shift(_, output):
        at_place = torch.zeros(len(output), 1, dtype=output.dtype, device=output.device)
        at_place[place] = 1
        return output + at_place * delta
    with hooked(module, shift):
        yield


@torch.no_grad()
def seen(session, module, ids, place):
    """(input, output) of a module at a place."""
    found = []
    with hooked(module, lambda taken, given: found.append((taken[place].clone(), given[place].clone()))):
        session.logits(ids)
    return found[0]


def target_loss(session, sequence):
    """The mean over the target's tokens of −log p."""
    return mean_loss(session.logits(sequence.ids[:-1]), sequence)


def mean_loss(logits, sequence):
    """The mean over the target's tokens of −log p, of the logits at all tokens but the last."""
    rows = logits[sequence.begin - 1:]
    wanted = torch.tensor(sequence.targets, device=rows.device)
    return -torch.log_softmax(rows, -1).gather(1, wanted[:, None]).mean()


def last_place_loss(session, sequence):
    """FT-L's: all target tokens are read where the prompt ends."""
    row = torch.log_softmax(session.logits(sequence.ids[:sequence.begin])[-1], -1)
    return -row[torch.tensor(sequence.targets, device=row.device)].mean()


@torch.no_grad()
def add(linear, change):
    linear.weight.add_(change.to(linear.weight.dtype))


# Value vectors

def shifted_logits(session, module, texts, delta):
    """Of each (ids, place): the logits with delta added to the module's output at the place."""
    if not session.padded:
        for ids, place in texts:
            with shifted(module, place, delta):
                yield session.logits(ids)
        return
    longest = max(len(ids) for ids, _ in texts)
    device = session.model.device
    batch = torch.zeros(len(texts), longest, dtype=torch.long, device=device)
    mask = torch.zeros_like(batch)
    at_place = torch.zeros(len(texts), longest, 1, dtype=delta.dtype, device=device)
    for row, (ids, place) in enumerate(texts):
        batch[row, :len(ids)] = torch.tensor(ids, device=device)
        mask[row, :len(ids)] = 1
        at_place[row, place] = 1

    def shift(_, __, output):
        whole = output[0] if isinstance(output, tuple) else output
        changed = whole + at_place * delta
        return (changed, *output[1:]) if isinstance(output, tuple) else changed
    handle = module.register_forward_hook(shift)
    try:
        logits = session.model(batch, attention_mask=mask).logits
    finally:
        handle.remove()
    yield from (rows[:len(ids)] for rows, (ids, _) in zip(logits, texts))


def value_vector(session, request, module):
    """What the module should give at the subject's last token: (v⁰ + δ, {"steps", "loss"})."""
    options = session.options
    contexts = [target_in(session, request, template) for template in session.templates]
    v0 = seen(session, module, *prompt_in(session, request))[1]
    kl_ids, kl_place = last_token(session, f"{request.subject} is a", len(request.subject))
    texts = [(context.ids[:-1], context.subject) for context in contexts] + [(kl_ids, kl_place)]
    with torch.no_grad():
        clean = torch.log_softmax(session.logits(kl_ids)[kl_place], -1)
    delta = torch.zeros_like(v0, requires_grad=True)
    adam = torch.optim.Adam([delta], lr=options["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
    for step in range(options["steps"]):
        *of_contexts, of_essence = shifted_logits(session, module, texts, delta)
        loss = sum(mean_loss(rows, context) for rows, context in zip(of_contexts, contexts)) / len(contexts)
        now = torch.log_softmax(of_essence[kl_place], -1)
        loss = loss + options["kl_factor"] * (now.exp() * (now - clean)).sum()
        loss = loss + options["weight_decay"] * delta.norm() / v0.norm() ** 2
        if loss.item() < options["stop_loss"] or step + 1 == options["steps"]:
            break
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            longest = options["clamp_norm"] * v0.norm()
            if delta.norm() > longest:
                delta.mul_(longest / delta.norm())
    return v0 + delta.detach(), {"steps": step + 1, "loss": loss.item()}


def keys_in_contexts(session, request, linear):
    """[C, F]: a linear's input at the subject's last token, the prompt alone, in each context; fp64."""
    return torch.stack([seen(session, linear, *prompt_in(session, request, template))[0].double()
                        for template in session.templates])


def mean_key(session, request, linear):
    return keys_in_contexts(session, request, linear).mean(0)


def halved_key(session, request, linear):
    """The mean of the bare prompt's key and of the mean of the other contexts' keys."""
    keys = keys_in_contexts(session, request, linear)
    return (keys[0] + keys[1:].mean(0)) / 2 if len(keys) > 1 else keys[0]


# ROME

def rome_change(key, wanted, found, direction):
    """ΔW = (v* − Wk) uᵀ / (k·u)."""
    return torch.outer(wanted - found, direction) / key.dot(direction)


def rome(session, requests):
    """One request after another."""
    ((layer, _),), noted = session.options["matrices"], []
    ((_, linear),) = session.matrices()
    for request in requests:
        wanted, note = value_vector(session, request, linear)
        direction = mean_key(session, request, linear)
        if layer in session.covariance:
            direction = torch.linalg.solve(session.covariance[layer], direction)
        key, found = (x.double() for x in seen(session, linear, *prompt_in(session, request)))
        add(linear, rome_change(key, wanted.double(), found, direction / direction.norm()))
        noted.append(note)
    return {"values": noted}


# Closed forms: keys K [F, u] and residuals R [D, u] give ΔW [D, F], all fp64,
# from what a layer's covariance C is made into once, and the sum K_p of earlier k kᵀ.

def memit_change(keys, residuals, weighted, earlier, _):
    """ΔW = R Kᵀ (λC + K_p + KKᵀ)⁻¹."""
    system = weighted + earlier + keys @ keys.T
    return torch.linalg.solve(system, keys @ residuals.T).T


def emmet_change(keys, residuals, covariance, _, options):
    """ΔW = R (KᵀC⁻¹K + λI)⁻¹ KᵀC⁻¹."""
    solved = torch.linalg.solve(covariance, keys)
    small = keys.T @ solved + options["emmet_lambda"] * torch.eye(keys.shape[1], dtype=keys.dtype, device=keys.device)
    return residuals @ torch.linalg.solve(small, solved.T)


def weighted_covariance(covariance, options):
    return options["cov_weight"] * covariance


def null_projection(covariance, options):
    """P = UUᵀ of the eigenvectors whose eigenvalues are below the threshold."""
    threshold = options["null_threshold"]
    values, vectors = torch.linalg.eigh(covariance)
    inside = vectors[:, values < threshold]
    if inside.shape[1] == 0:
        raise SystemExit(f"null_threshold {threshold}: the smallest eigenvalue is {values[0].item()}")
    return inside @ inside.T


def alphaedit_change(keys, residuals, projection, earlier, options):
    """(P(KKᵀ + K_p) + l2·I) X = P K Rᵀ, ΔW = Xᵀ."""
    system = projection @ (keys @ keys.T + earlier)
    system.diagonal().add_(options["l2"])
    return torch.linalg.solve(system, projection @ keys @ residuals.T).T


def weighed_beside_keys(covariance, options):
    """What BetaEdit adds to K_p, λ₁C."""
    return options.get("cov_weight", 0) * covariance


def refresh(session):
    """BetaEdit: P anew from (K_p/n + λ₁C)/(λ₁ + 1), before the group that enough requests precede."""
    options = session.options
    if not 0 < options.get("refresh_every", 0) <= session.since:
        return
    weight = options["cov_weight"]
    for layer, _ in options["matrices"]:
        mixed = (session.memory[layer] / session.remembered + weight * session.covariance[layer]) / (weight + 1)
        session.prepared[layer] = null_projection(mixed, options)
    session.since = 0


# NAS

def mlp_value(session, request, value):
    """v* = v⁰ + δ where the last down_proj gives it; `value` is v⁰ + δ of the last block."""
    (layer, _), (_, linear) = session.options["matrices"][-1], session.matrices()[-1]
    at_subject = prompt_in(session, request)
    delta = value.double() - seen(session, session.blocks[layer], *at_subject)[1].double()
    return seen(session, linear, *at_subject)[1].double() + delta


def find_anchor(session):
    """The mean of ‖v*‖ over the pilots, of the model without edits."""
    if session.anchor is None and session.options.get("anchor_edits", 0) > 0:
        last = session.blocks[session.options["matrices"][-1][0]]
        norms = [mlp_value(session, pilot, value_vector(session, pilot, last)[0]).norm() for pilot in session.pilots]
        session.anchor = torch.stack(norms).mean().item()


def anchored(session, request, value):
    """The last block's output, fp64, for a v* that is as long as the anchor; as it is where v* is twice as long."""
    if session.anchor is None:
        return value.double()
    wanted = mlp_value(session, request, value)
    if wanted.norm() > 2 * session.anchor:
        return seen(session, session.blocks[session.options["matrices"][-1][0]], *prompt_in(session, request))[1].double()
    return value.double() + wanted * (session.anchor / wanted.norm() - 1)


def closed_form(change_of, prepared_of, remembers, beside_keys=lambda covariance, options: 0):
    def prepared(session, layer):
        if layer not in session.prepared:
            session.prepared[layer] = prepared_of(session.covariance[layer], session.options)
        return session.prepared[layer]

    def edit(session, requests):
        layers = [layer for layer, _ in session.options["matrices"]]
        last = session.blocks[layers[-1]]
        find_anchor(session)
        refresh(session)
        found = [value_vector(session, request, last) for request in requests]
        wanted = torch.stack([anchored(session, request, value)
                              for request, (value, _) in zip(requests, found, strict=True)], 1)
        for i, (layer, (_, linear)) in enumerate(zip(layers, session.matrices(), strict=True)):
            keys = torch.stack([halved_key(session, request, linear) for request in requests], 1)
            now = torch.stack([seen(session, last, *prompt_in(session, request))[1].double() for request in requests], 1)
            residuals = (wanted - now) / (len(layers) - i)
            earlier = session.memory.get(layer, 0)
            beside = beside_keys(session.covariance[layer], session.options)
            add(linear, change_of(keys, residuals, prepared(session, layer), earlier + beside, session.options))
            if remembers:
                session.memory[layer] = earlier + keys @ keys.T
        if remembers:
            session.remembered, session.since = session.remembered + len(requests), session.since + len(requests)
        return {"values": [note for _, note in found]}
    return edit


# Tuned matrices

class Tuned:
    """Adam on some tensors over losses that are means over requests."""

    def __init__(self, session, tensors, limited=()):
        self.tensors = [tensor.requires_grad_(True) for tensor in tensors]
        self.adam = torch.optim.Adam(self.tensors, lr=session.options["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
        self.limit = session.options.get("norm_limit")
        self.before = [(tensor, tensor.detach().clone()) for tensor in limited] if self.limit else []

    def loss(self, losses, count):
        """The mean over `count` requests, whose gradients are left in the tensors."""
        self.adam.zero_grad()
        total = 0.0
        for loss in losses:
            (loss / count).backward()
            total += loss.item() / count
        return total

    @torch.no_grad()
    def update(self):
        self.adam.step()
        for tensor, before in self.before:
            tensor.copy_(torch.minimum(torch.maximum(tensor, before - self.limit), before + self.limit))

    def finish(self):
        for tensor in self.tensors:
            tensor.requires_grad_(False)


def tune(session, tuned, sequences, loss_of, orders):
    """An epoch for each order: batches whose loss is below stop_loss are passed over, an epoch whose mean is ends it."""
    options, losses = session.options, []
    for order in orders:
        if sorted(order) != list(range(len(sequences))):
            raise SystemExit(f"order of an epoch: expected each of {len(sequences)} requests once, found {order}")
        total = 0.0
        for begin in range(0, len(order), options["batch_size"]):
            batch = [sequences[i] for i in order[begin:begin + options["batch_size"]]]
            losses.append(tuned.loss((loss_of(session, sequence) for sequence in batch), len(batch)))
            total += losses[-1] * len(batch) / len(sequences)
            if losses[-1] >= options["stop_loss"]:
                tuned.update()
        if total < options["stop_loss"]:
            break
    tuned.finish()
    return losses


def in_turn(session, sequences):
    """The orders of `steps` epochs that shuffle nothing."""
    return [range(len(sequences))] * session.options["steps"]


def fine_tuning(loss_of):
    def edit(session, requests):
        weights = [linear.weight for _, linear in session.matrices()]
        sequences = [target_sequence(session, request.prompt, request.target) for request in requests]
        tuned = Tuned(session, weights, weights)
        return {"losses": tune(session, tuned, sequences, loss_of, in_turn(session, sequences))}
    return edit


def locft_bf(session, requests):
    """Breadth first: epochs over shuffled requests in batches, the end of the text behind each target."""
    end = session.end_id if session.end_id is not None else session.tokenizer.eos_token_id
    weights = [linear.weight for _, linear in session.matrices()]
    sequences = [target_sequence(session, request.prompt, request.target) for request in requests]
    sequences = [dataclasses.replace(sequence, ids=sequence.ids + [end]) for sequence in sequences]
    # An order is taken as its epoch begins: the next group goes on behind the last that was used.
    orders = (session.orders.pop(0) if session.orders else range(len(sequences)) for _ in range(session.options["epochs"]))
    return {"losses": tune(session, Tuned(session, weights, weights), sequences, target_loss, orders)}


def lora(session, requests):
    """An adapter of rank r on every named matrix, W + (α/r) B A with B zeros at first, merged at the end."""
    options = session.options
    scale = options["lora_alpha"] / options["lora_r"]
    pairs = []
    for name, linear in session.matrices():
        a = session.adapters.get(name)
        if a is None:
            a = torch.empty(options["lora_r"], linear.in_features, dtype=linear.weight.dtype)
            torch.nn.init.kaiming_uniform_(a, a=5 ** 0.5)
        a = a.to(linear.weight).clone()
        pairs.append((linear, a, torch.zeros(linear.out_features, len(a)).to(linear.weight)))
    tuned = Tuned(session, [tensor for _, a, b in pairs for tensor in (a, b)])
    sequences = [target_sequence(session, request.prompt, request.target) for request in requests]
    with contextlib.ExitStack() as hooks:
        for linear, a, b in pairs:
            hooks.enter_context(hooked(linear, lambda taken, given, a=a, b=b: given + scale * (taken @ a.T) @ b.T))
        losses = tune(session, tuned, sequences, target_loss, in_turn(session, sequences))
    for linear, a, b in pairs:
        add(linear, scale * b @ a)
    return {"losses": losses}


# UltraEdit

class Normalizer:
    """Running mean and M2 of rows, as its authors' replica must keep them: m times the unbiased variance is added.

    Of the last `whole` columns all products are kept, for StableEdit's whitening.
    """

    def __init__(self, width, like, whole=0):
        self.count, self.whole = 0, whole
        self.mean, self.m2 = (torch.zeros(width, dtype=torch.float64, device=like.device) for _ in range(2))
        self.products = torch.zeros(whole, whole, dtype=torch.float64, device=like.device)

    def grow(self, rows):
        m, before = len(rows), self.count
        self.count += m
        variance = rows.var(0, unbiased=True) if m > 1 else torch.zeros_like(self.mean)
        delta = rows.mean(0) - self.mean
        if self.whole:
            last, moved = rows[:, -self.whole:], delta[-self.whole:]
            own = torch.cov(last.T) if m > 1 else torch.zeros_like(self.products)
            self.products = self.products + m * own + torch.outer(moved, moved) * m * before / self.count
        self.mean = self.mean + delta * m / self.count
        self.m2 = self.m2 + m * variance + delta ** 2 * m * before / self.count

    def normed(self, rows):
        std = (self.m2 / max(self.count - 1, 1)).sqrt()
        normed = (rows - self.mean) / (std + 2.0 ** -23)
        if self.whole and self.count > self.whole:
            values, vectors = torch.linalg.eigh(self.products / (self.count - 1))
            root = vectors @ torch.diag(values.clamp(min=1e-6) ** -0.5) @ vectors.T
            normed[:, -self.whole:] = (rows - self.mean)[:, -self.whole:] @ root
        return normed


EDITS_TOGETHER = 10  # of a turn, as the authors' code reads them


def tens_of_turn(session, requests):
    """The turn's sequences, the longest first, in tens."""
    sequences = [target_sequence(session, request.prompt, request.target) for request in requests]
    sequences.sort(key=lambda sequence: -len(sequence.ids))
    return [sequences[begin:begin + EDITS_TOGETHER] for begin in range(0, len(sequences), EDITS_TOGETHER)]


def rows_of_ten(session, matrices, sequences):
    """Of each matrix: (inputs, gradients of the output) at the places that predict target tokens, as rows; fp64.

    The loss is the mean over all target tokens of the ten.
    """
    rows, total = [([], []) for _ in matrices], 0.0
    targets = sum(len(sequence.targets) for sequence in sequences)
    for sequence in sequences:
        taken, probes = [None] * len(matrices), [None] * len(matrices)
        with contextlib.ExitStack() as hooks:
            for i, (_, linear) in enumerate(matrices):
                def watch(inputs, output, i=i):
                    taken[i], probes[i] = inputs.detach(), torch.zeros_like(output, requires_grad=True)
                    return output + probes[i]
                hooks.enter_context(hooked(linear, watch))
            loss = target_loss(session, sequence) * len(sequence.targets) / targets
        total += loss.item()
        for (inputs, gradients), h, g in zip(rows, taken, torch.autograd.grad(loss, probes), strict=True):
            inputs.append(h[sequence.begin - 1:].double())
            gradients.append(g[sequence.begin - 1:].double())
    return [(torch.cat(inputs), torch.cat(gradients)) for inputs, gradients in rows], total


def ultraedit_change(inputs, values, ridge=1):
    """(HᵀH + ridge·I) X = Hᵀ V, ΔW = Xᵀ; H [rows, F] and V [rows, D]."""
    system = inputs.T @ inputs
    system.diagonal().add_(ridge)
    return torch.linalg.solve(system, inputs.T @ values).T


def ultraedit(session, requests):
    """One turn: all matrices from one pass, normalised by what all turns so far have shown."""
    matrices, tens = session.matrices(), []
    for ten in tens_of_turn(session, requests):
        tens.append(rows_of_ten(session, matrices, ten))
        for (_, linear), (inputs, gradients) in zip(matrices, tens[-1][0], strict=True):
            shape, both = tuple(linear.weight.shape), torch.cat([inputs, gradients], 1)
            whole = gradients.shape[1] if session.options.get("whiten") else 0
            session.normalizers.setdefault(shape, Normalizer(both.shape[1], both, whole)).grow(both)
    rows = [[torch.cat(parts) for parts in zip(*of_tens)] for of_tens in zip(*(rows for rows, _ in tens))]
    for (_, linear), (inputs, gradients) in zip(matrices, rows, strict=True):
        normed = session.normalizers[tuple(linear.weight.shape)].normed(torch.cat([inputs, gradients], 1))
        h, g = normed.split([inputs.shape[1], gradients.shape[1]], 1)
        values = -session.options["learning_rate"] * (h ** 2).sum(1, keepdim=True) * g
        add(linear, ultraedit_change(inputs, values, session.options.get("ridge", 1)))
    return {"losses": [total for _, total in tens]}


METHODS = {
    "ft_l": fine_tuning(last_place_loss),
    "ft_m": fine_tuning(target_loss),
    "locft_bf": locft_bf,
    "lora": lora,
    "rome": rome,
    "memit": closed_form(memit_change, weighted_covariance, remembers=False),
    "memit_history": closed_form(memit_change, weighted_covariance, remembers=True),
    "emmet": closed_form(emmet_change, lambda covariance, _: covariance, remembers=False),
    "alphaedit": closed_form(alphaedit_change, null_projection, remembers=True, beside_keys=weighed_beside_keys),
    "ultraedit": ultraedit,
}
