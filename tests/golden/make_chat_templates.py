#!/usr/bin/env python3
"""Makes chat_templates/golden.json: what transformers writes with the templates of that folder.

    python make_chat_templates.py [--check]

Versions: transformers 5.24.0, jinja2 3.1.6, Python 3.11. All templates are written for this purpose, in the
constructs of the family that a file's name says. `snippets` are small templates of one construct each. An
"error" is what Python raises, "turned_away" the message of raise_exception. Spans of {% generation %} are offsets
in bytes. The clock of strftime_now stands at NOW.
"""

import argparse
import datetime
import json
import pathlib

from jinja2.exceptions import TemplateError
from transformers.utils import chat_template_utils

FOLDER = pathlib.Path(__file__).parent / "chat_templates"
NOW = datetime.datetime(2026, 3, 7, 4, 5, 9)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = Clock


def user(text):
    return {"role": "user", "content": text}


def bot(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}


def call(name, arguments, number):
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


TOOLS = [
    {"type": "function", "function": {
        "name": "tide", "description": "Height of the tide",
        "parameters": {"type": "object", "properties": {
            "harbour": {"type": "string", "description": " Where \"it\" is: Kiel & <co>, Ærø's "},
            "hours": {"type": "array", "items": {"type": "integer"}, "description": "When"},
            "unit": {"type": ["string", "null"], "enum": ["m", "ft"], "description": "", "default": 1.5}},
            "required": ["harbour"]},
        "return": {"type": "number"}}},
    {"type": "function", "function": {"name": "horn", "description": "Blow", "parameters": {
        "type": "object", "properties": {"loud": {"type": "boolean", "description": "é"}}}}},
]

CHATS = {
    "one": [user("Who built the pier?")],
    "answered": [user("  Who built the pier?\n"), bot(" Nobody knows.\n\n")],
    "several": [user("One"), bot("Two"), user("Three 灯台 ünï"), bot("Four 👋🏽"), user("Five")],
    "system": [system(" Be brief. "), user("Hi"), bot("Ho")],
    "system_one": [system("Antworte auf Deutsch: äöü /no_think"), user("Wo ist der Hafen?")],
    "six": [system("S"), user("a b"), bot("b"), user("c"), bot("<thought>\nhm\n</thought>\n\nd"), user("e"), bot("f")],
    "marks": [user("{{ bos_token }} {% raw %} 'quoted' \"twice\" <b>&amp;</b> \\n"), bot("100 % {sure}")],
    "blocks": [user([{"type": "text", "text": " part one "}, {"type": "image"}, {"type": "text", "text": "two"}])],
    "wrong_order": [user("a"), user("b")],
    "tools": [user("How high is the tide?"),
              {"role": "assistant", "tool_calls": [call("tide", {"harbour": "Kiel", "hours": [1, 2]}, "call00001")]},
              {"role": "tool", "content": "1.2", "tool_call_id": "call00001", "name": "tide"}, bot("1.2 m")],
}

# One construct each. The variables are messages, tools, the special tokens, and those of VARIABLES.
VARIABLES = {
    "d": {"b": 1, "a": "x", "C": [1, 2.5, None, True], "é": {"k": "v'\"\n"}}, "n": 7, "f": 2.5, "t": True, "no": None,
    "l": [3, 1, 2], "words": ["b", "A", "a", "B"], "s": "  Grüße, Wörld 灯台\n", "e": "", "people": [
        {"name": "Ada", "age": 36, "at": {"town": "Kiel"}}, {"name": "bob", "age": 7, "at": {}}, {"name": "Cy", "age": 36, "x": 0, "at": {"town": None}}],
}
SNIPPETS = [
    # writing values
    "{{ n }} {{ f }} {{ t }} {{ no }} {{ l }} {{ d }} {{ e }}|{{ missing }}|{{ 1.0 }} {{ 1e20 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 1e16 }}",
    "{{ (1,) }} {{ () }} {{ (1, 'a') }} {{ [] }} {{ {} }} {{ ['it\\'s', \"q\\\"\", 'both\\'\"', '\\n\\t\\\\'] }} {{ ['é', '灯', '\\u00a0', '\\x07'] }}",
    "{{ 'a' 'b' \"c\" }} {{ 'x\\u00e9\\x41\\101\\q' }} {{ '\\U0001F600' }}", "{{ [missing] }}", 
    # arithmetic
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ -2 ** 2 }} {{ 1_000 }}",
    "{{ t + 1 }} {{ 'ab' * 3 }} {{ 2 * [1] }} {{ [1] + [2] }} {{ (1,) + (2,) }} {{ 1 + 2 * 3 - 4 }} {{ - n }} {{ + n }} {{ 'a' ~ 1 ~ none ~ 2.0 }}",
    "{{ 1 + 'a' }}", "{{ 'a' + 1 }}", "{{ missing + 'a' }}", "{{ no + 'a' }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ [] + () }}", "{{ missing ~ 'a' }}",
    # comparing
    "{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 == true }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ [1, 2] < [1, 3] }} {{ 'é' > 'z' }} {{ 1 != '1' }}",
    "{{ missing == missing2 }} {{ missing == none }} {{ no == none }} {{ d == d }} {{ l == [3, 1, 2] }} {{ (1,) == [1] }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }}",
    "{{ 'a' < 1 }}", "{{ no < 1 }}", "{{ missing < 1 }}", "{{ 2 in l }} {{ 'ü' in s }} {{ 'b' in d }} {{ 1 not in l }} {{ '' in '' }} {{ 'x' in missing }}", "{{ 1 in 'a' }}", "{{ 1 in no }}",
    "{{ not t }} {{ not e }} {{ not l and t }} {{ e or 'x' }} {{ 'x' and e or 'y' }} {{ no or 0 }} {{ not not n }} {{ not 1 == 2 }}",
    "{{ 'a' if t else 'b' }} {{ 'a' if e else 'b' if e else 'c' }} {{ 'a' if e }}|{{ ('a' if e) is defined }}",
    # items, attributes, slices
    "{{ l[0] }} {{ l[-1] }} {{ l[9] }}|{{ d['a'] }} {{ d.a }} {{ d['zz'] }}|{{ d.C[1] }} {{ d.C.1 }} {{ s[2] }} {{ s[-2] }} {{ l['x'] }}| {{ d[1] }}|",
    "{{ l[1:] }} {{ l[:-1] }} {{ l[::-1] }} {{ l[::2] }} {{ l[5:] }} {{ l[-9:9] }} {{ s[2:5] }} {{ s[::-1] }} {{ s[-4:-1] }} {{ s[1:9:3] }} {{ (1,2,3)[1:] }} {{ l[2:0:-1] }} {{ l[:none] }}",
    "{{ l[::0] }}", "{{ missing.x }}", "{{ missing['x'] }}", "{{ d.x.y }}", "{{ d.x }}|{{ no.x }}|{{ n.x }}|{{ s.x }}|{{ l.x }}|", "{{ missing[0:1] }}", "{{ no[1:] }}|{{ d['a'][0] }}",
    "{{ d.items() | list }} {{ d.keys() | list }} {{ d.values() | list }} {{ d.get('a') }} {{ d.get('z') }} {{ d.get('z', 3) }} {{ d['items'] is defined }} {{ d.items is defined }}",
    "{{ {'items': 1}.items() | list }} {{ {'items': 1}['items'] }} {{ {'get': 5}.get('get') }}", "{{ d.items()[0] }}|", "{{ d.pop('a') }}", "{{ l.append(1) }}", "{{ d.update({}) }}", "{{ s.foo() }}", "{{ missing() }}", "{{ n() }}", "{{ l.sort() }}",
    # texts
    "{{ s.strip() }}|{{ s.lstrip() }}|{{ s.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcab'.lstrip('ba') }}|{{ 'a\\u3000\\x1c'.strip() }}|{{ '\\n a \\n'.strip('\\n') }}|{{ 'é灯é'.strip('é') }}",
    "{{ 'a,b,,c'.split(',') }} {{ ' a  b c '.split() }} {{ 'a b c'.split(' ', 1) }} {{ ' a b  c '.split(none, 1) }} {{ 'a b c'.rsplit(' ', 1) }} {{ ' a b c '.rsplit(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'abc'.split('b')[-1] }} {{ 'a\u3000b'.split() }}",
    "{{ 'a\\nb\\r\\nc\\n'.splitlines() }} {{ ''.splitlines() }}", "{{ 'a'.split('') }}",
    "{{ 'Hello'.startswith('He') }} {{ 'Hello'.endswith(('x', 'lo')) }} {{ 'abc'.find('c') }} {{ 'éabc'.find('c') }} {{ 'abc'.find('z') }} {{ 'abca'.rfind('a') }} {{ 'aaa'.count('a') }} {{ 'aaa'.count('') }} {{ 'abc'.index('b') }}",
    "{{ 'abc'.index('z') }}", "{{ 'aXbX'.replace('X', '--') }} {{ 'aXbX'.replace('X', '-', 1) }} {{ 'ab'.replace('', '.') }} {{ 'ab'.replace('', '.', 2) }} {{ 'é'.replace('é', '') }}|",
    "{{ 'hello world-x it\\'s'.title() }} {{ 'hELLO'.capitalize() }} {{ 'Hello'.upper() }} {{ 'HeLLO ÄÉ'.lower() }} {{ 'x'.join(['a', 'b']) }} {{ ', '.join('abc') }}",
    "{{ 'a'.join([1]) }}", "{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'abc'.removesuffix('x') }} {{ '7'.zfill(3) }} {{ '-7'.zfill(4) }} {{ 'a'.center(4) }}| {{ 'a'.ljust(3, '.') }} {{ 'ä'.rjust(3) }}",
    "{{ 'abc'.isalpha() }} {{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ ' \\n'.isspace() }} {{ ''.isdigit() }} {{ 'Ab'.isupper() }} {{ 'AB1'.isupper() }} {{ 'ab'.islower() }} {{ '1'.islower() }}",
    "{{ '{} {} {}'.format(1, 'a', none) }} {{ '{1}{0}'.format(1, 2) }} {{ '{x}'.format(x=3) }} {{ '{{}}'.format() }}", "{{ '{}'.format() }}",
    "{{ '%s and %d, %5.2f%% %05d %-4d| %+d %r' % ('a', 3, 2.345, 42, 7, 5, 'q') }} {{ '%s' % 'x' }} {{ '%s' % [1] }} {{ '%3s|%-3s|%.2s' % ('a', 'b', 'cde') }} {{ '%i' % 2.9 }}", "{{ '%s %s' % 'x' }}", "{{ '%s' % (1, 2) }}", "{{ '%d' % 'x' }}",
    # filters
    "{{ s | trim }}|{{ 'xax' | trim('x') }}|{{ n | trim }}|{{ no | trim }}|{{ missing | trim }}|{{ s | length }} {{ l | count }} {{ d | length }} {{ missing | length }} {{ '灯台' | length }}",
    "{{ d | tojson }} {{ d | tojson(indent=2) }} {{ d.C | tojson(separators=(',', ':')) }} {{ d | tojson(ensure_ascii=true, sort_keys=true) }} {{ [] | tojson(indent=2) }} {{ {} | tojson(indent=1) }} {{ (1, 2) | tojson }} {{ '</>&\\u007f\\x00\\u2028😀' | tojson }} {{ '\\u007f😀é' | tojson(ensure_ascii=true) }} {{ [1, [2, {'a': []}]] | tojson(indent='\\t') }} {{ {1: 2} | tojson }} {{ 1e16 | tojson }}",
    "{{ missing | tojson }}", "{{ d.items() | tojson }}", "{{ missing | default('x') }} {{ e | default('x') }}|{{ e | default('x', true) }} {{ no | d('x') }} {{ no | default('x', boolean=true) }} {{ missing | default }}|",
    "{{ l | join(', ') }} {{ l | join }} {{ people | join('; ', attribute='name') }} {{ 'abc' | join('-') }} {{ [1, none, true] | join('|') }} {{ missing | join }}|",
    "{{ 'Ab' | upper }} {{ 'AB' | lower }} {{ 'aB cD' | capitalize }} {{ 'foo-bar baz(qux) it\\'s' | title }} {{ n | upper }}",
    "{{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ words | sort(reverse=true) }} {{ people | sort(attribute='age') | map(attribute='name') | list }} {{ words | unique | list }} {{ words | unique(case_sensitive=true) | list }} {{ d | dictsort }} {{ {'b': 1, 'a': 2} | dictsort(by='value', reverse=true) }}",
    "{{ people | map(attribute='age') | list }} {{ people | map(attribute='at.town') | list | length }} {{ people | map(attribute='x', default='-') | list }} {{ words | map('upper') | list }} {{ ['a,b'] | map('replace', ',', ';') | join }} {{ [[1, 2]] | map('first') | list }} {{ [' a '] | map('trim') | list }}",
    "{{ people | map(attribute='at.town.z') | list }}", "{{ people | map('nothing') | list }}", "{{ n | nothing }}", "{% if false %}{{ n | nothing }}{% endif %}ok", "{{ n is nothing }}",
    "{{ people | selectattr('age', 'equalto', 36) | map(attribute='name') | list }} {{ people | rejectattr('age', '==', 36) | list | length }} {{ people | selectattr('at') | list | length }} {{ people | selectattr('x', 'defined') | list | length }} {{ l | select('odd') | list }} {{ l | reject('gt', 1) | list }} {{ [0, 1, ''] | select | list }} {{ people | selectattr('name', 'in', ['Ada']) | list | length }} {{ people | selectattr('at.town', 'undefined') | list | length }}",
    "{{ people | selectattr('at.town.x', 'undefined') | list | length }}",
    "{{ l | first }} {{ l | last }} {{ [] | first }}|{{ 'abc' | first }} {{ 'abc' | last }} {{ d | first }} {{ d | last }} {{ missing | first }}|{{ missing | last }}|{{ l | reverse | list }} {{ 'abc' | reverse }} {{ l | list }} {{ 'abc' | list }} {{ d | list }} {{ d | items | list | length }} {{ missing | items | list }}",
    "{{ (l | map('string')) | length }}", "{{ (l | map('string'))[0] }}|", "{{ l | map('string') | last }}", "{{ 'yes' if l | select('gt', 9) else 'no' }} {{ l | select('gt', 9) | list or 'none' }}",
    "{{ '42' | int }} {{ ' 42 ' | int }} {{ '4.7' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 4.7 | int }} {{ t | int }} {{ no | int }} {{ '3.5' | float }} {{ 'x' | float }} {{ 3 | float }} {{ -5 | abs }} {{ 2.5 | round }} {{ 3.5 | round | int }} {{ 2.1 | round(method='ceil') }} {{ -2.1 | round(0, 'floor') }} {{ 3 | round }}",
    "{{ l | sum }} {{ people | sum(attribute='age') }} {{ l | min }} {{ l | max }} {{ words | min }} {{ words | max(case_sensitive=true) }} {{ [] | max }}| {{ people | max(attribute='age') | string | length }}",
    "{{ 'a\\nb\\n\\nc' | indent }}|{{ 'a\\nb' | indent(2, true) }}|{{ 'a\\n\\nb' | indent(width='> ', blank=true) }}|{{ '' | indent }}|{{ 'a\\n' | indent(1) }}|",
    "{{ 'a b a' | replace('a', 'x') }} {{ 'aaa' | replace('a', 'b', 2) }} {{ 123 | replace('2', '-') }} {{ n | string + 'x' }} {{ '%s-%s' | format('a', 1) }} {{ '<a>' | safe }} {{ ('<a>' | safe) + '<b>' }} {{ ('<a>' | safe) ~ '<b>' }} {{ '<&\\'\"' | e }} {{ 'one two, three' | wordcount }} {{ [1,2,3,4,5] | batch(2) | list }} {{ [1,2,3] | batch(2, 0) | list }}",
    "{{ d | attr('a') }}|{{ l | attr('zz') }}|", "{{ s | length + 1 }} {{ -1 | abs }} {{ 'a' ~ 'b' | upper }} {{ 1 + '2' | int * 3 }} {{ not e | length }} {{ l | length > 2 }} {{ n is odd and f is float }}",
    "{{ l | join(', ' }}", "{{ l | join(', ') ) }}", "{{ l | first(1) }}", "{{ l | join(x=1) }}", "{{ 'abc' | int(base=16) if false }}ok",
    # tests
    "{{ n is defined }} {{ missing is undefined }} {{ missing is not defined }} {{ no is none }} {{ no is not none }} {{ missing is none }} {{ s is string }} {{ d is mapping }} {{ l is iterable }} {{ s is iterable }} {{ n is iterable }} {{ l is sequence }} {{ d is sequence }} {{ missing is sequence }} {{ d.items() is sequence }} {{ n is number }} {{ t is number }} {{ n is integer }} {{ t is integer }} {{ f is float }} {{ t is boolean }} {{ n is boolean }} {{ t is true }} {{ n is true }} {{ t is false }} {{ e is false }}",
    "{{ n is equalto 7 }} {{ n is eq(7) }} {{ n is ne 7 }} {{ n is gt 6 }} {{ n is lt 6 }} {{ n is ge 7 }} {{ n is le 7 }} {{ n is in [7] }} {{ n is not in [7] }} {{ n is divisibleby 7 }} {{ n is even }} {{ no is sameas none }} {{ 1 is sameas true }} {{ 'a' is lower }} {{ 'A' is upper }} {{ range is callable }} {{ n is callable }} {{ 'trim' is filter }} {{ 'odd' is test }} {{ range(3) is sequence }}",
    "{{ n is defined and n is number or missing.x }}", "{{ n is string is defined }}", "{{ n is divisibleby 0 }}", "{{ s is even }}",
    # statements
    "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}", "{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}", "{% for i in l %}{% if loop.first %}{% set x = i %}{% endif %}[{{ x }}]{% endfor %}{{ x is defined }}",
    "{% set ns = namespace(a=1, b='x') %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }} {{ ns.b }} {{ ns.zz }}|{{ ns['a'] }}", "{% set ns = namespace({'a': 1}, b=2) %}{% set ns.c = [ns.a, ns.b] %}{{ ns.c }}", "{% set x.a = 1 %}", "{% set d.a = 1 %}", "{% set ns = namespace() %}{% set ns._x = 1 %}", "{{ namespace(_x=1) }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (a, b) = [b, a] %}{{ a }}{{ b }}{% set c = 1, %}{{ c }}", "{% set a, b = [1] %}", "{% set x %}a {{ n }} b{% endset %}{{ x }}|{{ x is string }}{% set y | upper | trim %} q {% endset %}{{ y }}",
    "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.depth }} {% endfor %}",
    "{% for i in l if i > 1 %}{{ i }}{{ loop.last }}{{ loop.length }} {% else %}none{% endfor %}{% for i in [] %}{% else %}empty{% endfor %}{% for i in l if i > 9 %}{% else %}no{% endfor %}{% for x in missing %}{% endfor %}", "{% for i in n %}{% endfor %}", "{% for i in no %}{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for c in 'aé灯' %}{{ c }}.{% endfor %}{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a + b + c }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% for i in range(3) %}{{ i }}{% for j in range(i) %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.index }} {% endfor %}{{ range(1, 10, 3) | list }} {{ range(5, 0, -2) | list }} {{ range(3)[-1] }} {{ range(3) | last }}", "{{ range(1, 2, 0) | list }}", "{{ range(10000000) | length }}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% break %}",
    "{% set it = l | map('string') %}{{ it | first }}{{ it | list }}{{ it | list }}", "{% set ns = namespace(n=0) %}{% for i in l if i != ns.n %}{{ i }}{% set ns.n = 2 %}{% endfor %}", "{% for i in l if loop.first %}{% endfor %}",
    "{% if e %}a{% elif no %}b{% elif n %}c{% else %}d{% endif %}{% if not missing %}x{% endif %}", "{% if missing.y is defined %}{% endif %}", "{% if missing is defined and missing.y %}a{% endif %}ok", "{% if 1, %}tuple{% endif %}",
    "{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m(a=4, b=5) }}{{ m() }}{{ m(1) | upper | length }}{{ m is callable }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, z=2) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro fact(k) %}{{ k * fact(k - 1) | int if k > 1 else 1 }}{% endmacro %}{{ fact(5) }} {% set outer = 'o' %}{% macro sees() %}{{ outer }}{{ later }}{% endmacro %}{% set later = 'L' %}{{ sees() }}", "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m() %}{% set q = 1 %}{% endmacro %}{{ m() }}{{ q is defined }}", "{% macro m() %}{{ loop is defined }}{% endmacro %}{% for i in [1] %}{{ m() }}{% endfor %}",
    "{{ missing | int }}", "{{ missing | float }}", "{{ d | attr('items') is callable }}",
    "{% macro box(t) %}[{{ t }}:{{ caller() }}]{% endmacro %}{% call box('x') %}in {{ n }}{% endcall %}{% macro rows() %}{% for i in l %}{{ caller(i, i * 2) }}{% endfor %}{% endmacro %}{% call(a, b) rows() %}{{ a }}-{{ b }} {% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% filter upper %}a{{ n }}b{% endfilter %}{% filter replace('a', 'x') | trim %} banana {% endfilter %}{% with a = 1, b = n %}{{ a + b }}{% set c = 3 %}{% endwith %}{{ a is defined }}{{ c is defined }}", "{% with %}{% set z = 1 %}{{ z }}{% endwith %}",
    "{% raw %}{{ x }}{% y %}{# z #}{% endraw %}|{%- raw -%}  a  {%- endraw -%}  |", "{# comment {{ x }} #}a{#- b -#} c", "a\n  {# c #}\nb", "a {{- 'b' -}} c {{ 'd' }}\n{{ 'e' }}\n", "x\n  {% if t %}\n    y\n  {% endif %}\nz\n", "x\n  {%- if t -%}\n    y\n  {%- endif %}\nz\n\n", "  {%+ if t %}a{% endif +%}\nb", "  {{ 'a' }}  {% if t %}  b{% endif %}  \nc", "\n\n{% if t %}\n\n a\n{% endif %}\n\n", "\r\n{% if t %}\r\na\rb{% endif %}\r\n", "{{ 'a\nb' }}", "\t{% set q = 1 %}\t\n{{ q }}", "{{ '}}' }} {{ \"%}\" }} {{ {'a': {'b': 1}}.a.b }} {{ {'a': 1}}}", "\u3000{% if t %}a{% endif %}", "{{'a'}}{% if t %}\n{% endif %}{{ 'b' }}", "a{% if t -%}   \n\n {%- endif %}b\n{# x -#}\n  c", "{{ 1 }}\n\n\n", "{% if t %}{% endif %}\n\n", "{{- 'x' }}", "  {{- 'x' -}}  ", "{% set a = 1 -%}\n{%+ if a %} b {%- endif %}",
    "{{ 'a' }}{% generation %}G{{ n }}{% endgeneration %}b{% for i in l %}{% generation %}ü{{ i }}{% endgeneration %}{% endfor %}", "{% generation %}{% set q = 1 %}{% endgeneration %}{{ q is defined }}",
    # functions
    "{{ dict(a=1, b=2) }} {{ dict({'x': 1}, a=2) }}", "{{ raise_exception('no ' ~ n) }}", "{{ strftime_now('%Y-%m-%d %H:%M:%S') }} {{ strftime_now('%d %b %Y') }} {{ strftime_now('%A %-d %B, %j %y %I %p %a %e|%F %T %%') }}", "{{ strftime_now is defined }} {{ raise_exception is defined }} {{ namespace is callable }}", "{{ messages[0].role }} {{ tools is none }} {{ documents is none }} {{ documents is defined }} {{ add_generation_prompt }} {{ bos_token }}{{ eos_token }}{{ pad_token }}",
    # mistakes
    "{{ }}", "{{ 1 + }}", "{% if %}a{% endif %}", "{% if t %}", "{% endif %}", "{% for %}{% endfor %}", "{{ 'a }}", "{{ a b }}", "{% unknown %}", "{{ (1 }}", "{{ ] }}", "{# open", "{% raw %}", "{{ a.1x }}", "{{ 01 }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% set 1 = 2 %}", "{% set none = 2 %}", "{{ a! }}", "{% for x in l %}", "{{ x", "{% set x = %}", "{{ f(a=1, 2) }}", "{{ {1} }}", "{% if t %}{% else %}{% elif n %}{% endif %}", "{% call n %}{% endcall %}", "{{ 1 if }}", "{{ is }}", "{% else %}",
]


def outcome(source, chat, with_tools, add_generation_prompt, tokens=TOKENS, **variables):
    try:
        texts, spans = chat_template_utils.render_jinja_template(
            conversations=[chat], tools=TOOLS if with_tools else None, chat_template=source,
            return_assistant_tokens_mask=True, add_generation_prompt=add_generation_prompt, **tokens, **variables)
    except TemplateError as error:
        if type(error) is TemplateError:
            return {"turned_away": str(error)}
        return {"error": type(error).__name__}
    except Exception as error:  # whatever Python raises: we must not write a text
        return {"error": type(error).__name__}
    text = texts[0]
    found = {"text": text}
    if spans[0]:
        found["spans"] = [[len(text[:end].encode()) for end in span] for span in spans[0]]
    return found


def golden():
    templates = {}
    for path in sorted(FOLDER.glob("*.jinja")):
        templates[path.stem] = [
            {"chat": name, "tools": name == "tools", "add_generation_prompt": prompted}
            | outcome(path.read_text(), chat, name == "tools", prompted)
            for name, chat in CHATS.items() for prompted in (False, True)
        ]
    snippets = [{"source": source} | outcome(source, CHATS["one"], False, True, **VARIABLES) for source in SNIPPETS]
    return {"now": str(NOW), "tokens": TOKENS, "tools": TOOLS, "chats": CHATS, "variables": VARIABLES,
            "templates": templates, "snippets": snippets}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    text = json.dumps(golden(), ensure_ascii=False, indent=1) + "\n"
    file = FOLDER / "golden.json"
    if not options.check:
        file.write_text(text)
    elif file.read_text() != text:
        raise SystemExit(f"{file}: expected what transformers writes, found another text")


if __name__ == "__main__":
    main()
