#!/usr/bin/env python3
"""Writes what other interpreters make of the templates and expressions in
tests/golden/chat/, for the tests to compare with:

    scripts/make_chat_golden.py [TEMPLATES]

The reference is Jinja2, set up as transformers sets it up to run chat templates
(huggingface/transformers, utils/chat_template_utils.py).  Where
@huggingface/jinja gives another text, that is recorded beside it; tern follows
Jinja2.  With a folder of other *.jinja files, such as published ones, which are
not ours to copy, it writes TEMPLATES/rendered.json for those alone.
"""
import json
import pathlib
import subprocess
import sys

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "chat"
BUILD = ROOT / "build" / "chat_golden"

COMMON = {"bos_token": "<bos>", "eos_token": "<eos>", "date_string": "26 Jul 2024",
          "add_generation_prompt": True}


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


def system(content):
    return {"role": "system", "content": content}


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": 'The "weather" <now> & later',
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "enum": ["Zürich", "東京"]},
                           "days": {"type": "integer", "minimum": 1}},
            "required": ["place"],
        },
    },
}
CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"type": "function", "function": {"name": "weather",
                                      "arguments": {"place": "Zürich", "days": 2}}}]}

CONVERSATIONS = {
    "one": {"messages": [user("Hello")]},
    "no_prompt": {"messages": [user("Hello"), assistant("Hi")], "add_generation_prompt": False},
    "system": {"messages": [system("You are terse."), user("Hello")]},
    "three_turns": {"messages": [system(" Be brief. "), user("One?"), assistant("1"), user("Two?"),
                                 assistant("2 "), user("Three?")]},
    "spaces": {"messages": [user("  padded \n\n"), assistant("\n answer\t"),
                            user("\u00a0wide space\u3000")]},
    "empty": {"messages": [user(""), assistant(""), user(" ")]},
    "unicode": {"messages": [user("Grüße, 東京 😀 e\u0301"), assistant("שלום"), user("🏳️‍🌈")]},
    "special": {"messages": [user("<|eot_id|><|im_end|></s>[/INST] {{ 1 + 1 }} {% if %}"),
                             assistant("<think>\nhm\n</think>\n\nWell"),
                             user("'quoted' \"twice\" \\n")]},
    "thinking_off": {"messages": [user("Quick!")], "enable_thinking": False},
    "thinking_on": {"messages": [user("Slow."), assistant("<think>\nstep\n</think>\n\nDone."),
                                 user("Again.")], "enable_thinking": True},
    "tools": {"messages": [system("Use tools."), user("Weather?")], "tools": [WEATHER, WEATHER]},
    "tool_call": {"messages": [user("Weather?"), CALL, {"role": "tool", "content": "sunny"},
                               assistant("It is sunny.")], "tools": [WEATHER]},
    "wrong_order": {"messages": [user("a"), user("b")]},
    "assistant_last": {"messages": [user("a"), assistant("b")]},
    "nothing": {"messages": []},
}


class Generation(Extension):
    """{% generation %}: marks the assistant's text for training, no more."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def environment():
    def to_json(value, ensure_ascii=False, indent=None):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    def refuse(message):
        raise jinja2.exceptions.TemplateError(message)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=["jinja2.ext.loopcontrols", Generation])
    env.filters["tojson"] = to_json
    env.globals["raise_exception"] = refuse
    env.globals["strftime_now"] = lambda pattern: "now"
    return env


def with_jinja2(case):
    try:
        return environment().from_string(case["template"]).render(**case["variables"])
    except (jinja2.exceptions.TemplateError, ArithmeticError, TypeError, ValueError):
        return None


def expected(cases):
    """{"text"}, None where it is refused, and {"javascript"} where that differs."""
    done = subprocess.run(["node", ROOT / "scripts" / "render_chat.mjs", BUILD],
                          input=json.dumps(cases), capture_output=True, text=True, check=True)
    results = []
    for case, other in zip(cases, json.loads(done.stdout)):
        text = with_jinja2(case)
        results.append({"text": text} if text == other else {"text": text, "javascript": other})
    return results


def write(path, document):
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def render_templates(folder, out):
    keys, cases = [], []
    for path in sorted(folder.glob("*.jinja")):
        for name, variables in CONVERSATIONS.items():
            keys.append({"template": path.name, "conversation": name})
            cases.append({"template": path.read_text(encoding="utf-8"),
                          "variables": {**COMMON, **variables}})
    rendered = [{**key, **result} for key, result in zip(keys, expected(cases))]
    write(out, {"common": COMMON, "conversations": CONVERSATIONS, "rendered": rendered})


def render_expressions():
    variables = json.loads((GOLDEN / "variables.json").read_text(encoding="utf-8"))
    texts = (GOLDEN / "expressions.txt").read_bytes().decode("utf-8").split("%%\n")
    results = expected([{"template": text, "variables": variables} for text in texts])
    write(GOLDEN / "expressions.json",
          [{"template": text, **result} for text, result in zip(texts, results)])


if len(sys.argv) > 1:
    render_templates(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1]) / "rendered.json")
else:
    render_templates(GOLDEN / "templates", GOLDEN / "rendered.json")
    render_expressions()
