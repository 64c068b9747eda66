"""model.py FILE: a model of two layers for llama.cpp, with weights drawn by a seeded generator and a tokenizer of its own.

It talks in made-up words, and ends by itself after some sixty of them, so that answers end for both reasons. Nothing is
downloaded, and nothing but Python is needed: the format is GGUF 3, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import array
import random
import struct
import sys

WIDTH, LAYERS, HEADS, SHARED, HEAD, INNER, CONTEXT = 256, 2, 4, 2, 64, 512, 4096
# The last one opens a call of a tool. Nothing leans to it, but a caller can.
SPECIAL = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<tool_call>"]
BEGIN, END = 0, 1
# Where a caller says `think`, all of the answer is thought.
TEMPLATE = (
    "<|begin|>"
    "{% if tools %}<|system|>{% for tool in tools %}{{ tool | tojson }}{% endfor %}<|end|>{% endif %}"
    "{% for message in messages %}"
    "<|{{ message.role }}|>"
    "{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}"
    "{{ message.content }}"
    "{% for call in message.tool_calls %}"
    '<tool_call>{"name": {{ call.function.name | tojson }}, "arguments": {{ call.function.arguments | tojson }}}</tool_call>'
    "{% endfor %}"
    "<|end|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if think %}<think>{% endif %}{% endif %}"
)
# What a text is of after a step of GPT-2's tokenizer: each byte is a letter that can be printed, a space is this one.
PRINTED = [*range(33, 127), *range(161, 173), *range(174, 256)]
LETTERS = {**{byte: chr(byte) for byte in PRINTED},
           **{byte: chr(256 + at) for at, byte in enumerate(byte for byte in range(256) if byte not in PRINTED)}}
SPACE = LETTERS[32]

rng = random.Random(2)


def vocabulary():
    """Tokens, and the pairs that they are merged from."""
    syllables = [(a, b) for a in "bdfgklmnprstvz" for b in "aeiou"]
    starts = [(SPACE, a + b) for a, b in syllables]
    longer = [("".join(start), "".join(end)) for start in starts for end in syllables]
    merges = [*syllables, *starts, *rng.sample(longer, 500)]
    return [*SPECIAL, *LETTERS.values(), *("".join(pair) for pair in merges)], [" ".join(pair) for pair in merges]


# --- weights ---------------------------------------------------------------------------------------------------------

def drawn(rows, columns, spread):
    return array.array("f", (rng.gauss(0, spread) for _ in range(rows * columns)))


def ones(count):
    return array.array("f", [1] * count)


# The first number of each embedding is the same, and no layer writes to it: what it is after the last norm times the first
# number of a token's row in the head makes that token likely or not, whatever was said before.
LEVEL = 16
AFTER_NORM = LEVEL / ((LEVEL**2 + WIDTH - 1) / WIDTH) ** 0.5


def leaning(token):
    if token == SPECIAL[END]:
        return 2.2
    if token.startswith(SPACE) and len(token) > 1:
        return 0
    return -25


def with_first(matrix, rows, of):
    for row in range(rows):
        matrix[row * WIDTH] = of(row)
    return matrix


def tensors(tokens):
    """Name, shape from the inside out, numbers."""
    many = len(tokens)
    yield "token_embd.weight", (WIDTH, many), with_first(drawn(many, WIDTH, 1), many, lambda row: LEVEL)
    yield "output.weight", (WIDTH, many), with_first(
        drawn(many, WIDTH, 0.12), many, lambda row: leaning(tokens[row]) / AFTER_NORM)
    yield "output_norm.weight", (WIDTH,), ones(WIDTH)
    for layer in range(LAYERS):
        of = f"blk.{layer}."
        yield f"{of}attn_norm.weight", (WIDTH,), ones(WIDTH)
        yield f"{of}ffn_norm.weight", (WIDTH,), ones(WIDTH)
        for name, inside, outside in (("attn_q", WIDTH, HEADS * HEAD), ("attn_k", WIDTH, SHARED * HEAD),
                                      ("attn_v", WIDTH, SHARED * HEAD), ("attn_output", HEADS * HEAD, WIDTH),
                                      ("ffn_gate", WIDTH, INNER), ("ffn_up", WIDTH, INNER), ("ffn_down", INNER, WIDTH)):
            matrix = drawn(outside, inside, 0.06)
            if name in ("attn_output", "ffn_down"):
                matrix[:inside] = array.array("f", [0] * inside)
            yield f"{of}{name}.weight", (inside, outside), matrix


# --- the file --------------------------------------------------------------------------------------------------------

def text(of):
    data = of.encode()
    return struct.pack("<Q", len(data)) + data


def value(of):
    """As GGUF has it: the number of its type, and itself."""
    if isinstance(of, bool):
        return struct.pack("<I?", 7, of)
    if isinstance(of, int):
        return struct.pack("<II", 4, of)
    if isinstance(of, float):
        return struct.pack("<If", 6, of)
    if isinstance(of, str):
        return struct.pack("<I", 8) + text(of)
    if isinstance(of[0], str):
        return struct.pack("<IIQ", 9, 8, len(of)) + b"".join(map(text, of))
    return struct.pack(f"<IIQ{len(of)}i", 9, 5, len(of), *of)


def about(tokens, merges):
    return {
        "general.architecture": "llama",
        "general.name": "drawn",
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": SHARED,
        "llama.attention.key_length": HEAD,
        "llama.attention.value_length": HEAD,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": HEAD,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        # 3 is one that steers, 1 one of text.
        "tokenizer.ggml.token_type": [3 if token in SPECIAL else 1 for token in tokens],
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": BEGIN,
        "tokenizer.ggml.eos_token_id": END,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


def padded(data):
    return data + bytes(-len(data) % 32)


def main(path):
    tokens, merges = vocabulary()
    pairs = about(tokens, merges)
    infos, blocks, at = b"", [], 0
    for name, shape, numbers in tensors(tokens):
        if sys.byteorder == "big":
            numbers.byteswap()
        blocks.append(padded(numbers.tobytes()))
        infos += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, at)
        at += len(blocks[-1])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(blocks), len(pairs))
    head += b"".join(text(key) + value(of) for key, of in pairs.items())
    with open(path, "wb") as out:
        out.write(padded(head + infos))
        out.writelines(blocks)


main(sys.argv[1])
