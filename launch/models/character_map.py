"""The `precompiled_charsmap` of a SentencePiece model: which characters are written as which others before a text is
cut into pieces.

Its bytes: u32 size of a trie in bytes, the trie, texts that each end with a byte 0. The trie is a double array as
Darts-clone writes it (github.com/s-yata/darts-clone): a text leads from unit to unit byte by byte, and its value is
where in the texts its rule begins.
"""
import functools
import struct

PLACES = 256  # of a page: where one byte may lead from a place of that page
# By bit k of a place: the places of a page in which it is 0.
WITHOUT_BIT = [sum(1 << place for place in range(PLACES) if not place >> k & 1) for k in range(8)]
NO_UNIT = 1 << 31  # no byte leads there


def _base_of(place, unit):
    """Where the places of a unit's followers begin."""
    return place ^ (unit >> 10) << ((unit & 1 << 9) >> 6)


def read(data):
    """{text: the text that it is written as} of such bytes."""
    size, = struct.unpack_from("<I", data)
    units = struct.unpack_from(f"<{size // 4}I", data, 4)
    texts = data[4 + size:]

    @functools.cache  # many texts are followed alike
    def followers(base):
        places = (base ^ byte for byte in range(1, PLACES))
        return [place for place in places if place < len(units) and units[place] & 0x800000FF == base ^ place]

    rules = {}
    waiting = [(_base_of(0, units[0]), b"")]
    while waiting:
        base, text = waiting.pop()
        for place in followers(base):
            next_base, longer = _base_of(place, units[place]), text + bytes([base ^ place])
            if units[place] >> 8 & 1:
                begin = units[next_base] & 0x7FFFFFFF
                rules[longer.decode()] = texts[begin:texts.index(0, begin)].decode()
            waiting.append((next_base, longer))
    return rules


def _nodes(rules, values):
    """The trie's nodes, those that are followed alike being one: [[(byte, node that follows)]], byte 0 with a value in
    place of a node. The first bytes are those of the last one."""
    tree = {}
    for text, written in rules.items():
        node = tree
        for byte in text.encode():
            node = node.setdefault(byte, {})
        node[0] = values[written]
    numbers = {}

    def number(node):
        followers = tuple((byte, value if byte == 0 else number(value)) for byte, value in sorted(node.items()))
        return numbers.setdefault(followers, len(numbers))

    number(tree)
    return list(numbers)


def _moved(places, byte):
    """The places of a page from which `byte` leads to one of `places`, both as bits."""
    for k in range(8):
        if byte >> k & 1:
            step = 1 << k
            places = (places & WITHOUT_BIT[k]) << step | places >> step & WITHOUT_BIT[k]
    return places


def _bases(nodes):
    """A base for each node, so that no two of them have the same and no two followers the same place."""
    everywhere = (1 << PLACES) - 1
    pages = [[everywhere & ~1, everywhere & ~1]]  # free places and free bases as bits; place 0 is the root's
    first_open = 0
    bases = [0] * len(nodes)
    for node in sorted(range(len(nodes)), key=lambda node: (-len(nodes[node]), node)):
        number = first_open
        while True:
            if number == len(pages):
                pages.append([everywhere, everywhere])
            places, fitting = pages[number]
            for byte, _ in nodes[node]:
                fitting &= _moved(places, byte)
            if fitting:
                break
            number += 1
        base = (fitting & -fitting).bit_length() - 1
        bases[node] = number * PLACES + base
        pages[number][1] &= ~(1 << base)
        for byte, _ in nodes[node]:
            pages[number][0] &= ~(1 << (base ^ byte))
        while first_open < len(pages) and not all(pages[first_open]):
            first_open += 1
    return bases, len(pages) * PLACES


def write(rules):
    """The bytes of {text: the text that it is written as}."""
    texts, values = b"", {}
    for written in sorted(set(rules.values())):
        values[written] = len(texts)
        texts += written.encode() + b"\0"
    nodes = _nodes(rules, values)
    bases, size = _bases(nodes)

    def unit(place, byte, node):
        offset = place ^ bases[node]
        assert offset < 1 << 21, "more rules than the short form of an offset has room for"
        return offset << 10 | (nodes[node][0][0] == 0) << 8 | byte

    units = [NO_UNIT] * size
    units[0] = unit(0, 0, len(nodes) - 1)
    for node, followers in enumerate(nodes):
        for byte, follower in followers:
            place = bases[node] ^ byte
            units[place] = NO_UNIT | follower if byte == 0 else unit(place, byte, follower)
    return struct.pack(f"<I{size}I", 4 * size, *units) + texts
