"""A tiny model is written as a GGUF file on the spot, and llama.cpp reads it and writes: nothing is downloaded."""

import os
import tempfile
import time
import urllib.parse

import gguf
import numpy

try:
    import xllamacpp
except ImportError as error:
    if "libgomp" not in str(error):
        raise
    fail("llama.cpp lacks a library of the system's: `sudo apt-get install libgomp1` brings it")

WIDTH, LAYERS, HEADS, CONTEXT, WORDS = 64, 2, 4, 128, 64


def write(path: str) -> None:
    """A model of the Llama kind that knows bytes, with weights by chance."""
    chance = numpy.random.default_rng(0)
    kind = gguf.TokenType
    words = [("<unk>", kind.UNKNOWN), ("<s>", kind.CONTROL), ("</s>", kind.CONTROL)]
    words += [(f"<0x{byte:02X}>", kind.BYTE) for byte in range(256)]
    file = gguf.GGUFWriter(path, "llama")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(2 * WIDTH)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_tokenizer_model("llama")
    file.add_token_list([word for word, _ in words])
    file.add_token_scores([0.0] * len(words))
    file.add_token_types([kind for _, kind in words])
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    shapes = {"token_embd": (len(words), WIDTH), "output": (len(words), WIDTH)}
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
        shapes |= {f"blk.{layer}.ffn_{part}": (2 * WIDTH, WIDTH) for part in ("gate", "up")}
        shapes[f"blk.{layer}.ffn_down"] = (WIDTH, 2 * WIDTH)
        for norm in ("attn", "ffn"):
            file.add_tensor(f"blk.{layer}.{norm}_norm.weight", numpy.ones(WIDTH, numpy.float32))
    file.add_tensor("output_norm.weight", numpy.ones(WIDTH, numpy.float32))
    for name, shape in shapes.items():
        file.add_tensor(f"{name}.weight", chance.normal(0, 0.1, shape).astype(numpy.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
    path = os.path.join(folder, "tiny.gguf")
    write(path)
    wishes = xllamacpp.CommonParams()
    wishes.model.path = path
    wishes.hostnames = ["127.0.0.1"]
    wishes.n_ctx = CONTEXT
    wishes.n_parallel = 1
    # llama.cpp tells at length what it does; why something fails is told by what it raises.
    told = [(number, os.dup(number)) for number in (1, 2)]
    for number, _ in told:
        os.dup2(nowhere.fileno(), number)
    try:
        server = xllamacpp.Server(wishes)
        asked = {"prompt": "a", "max_tokens": WORDS, "temperature": 0, "ignore_eos": True}
        since = time.perf_counter()
        answer = server.handle_completions(asked)
        seconds = time.perf_counter() - since
        address = urllib.parse.urlsplit(server.listening_address).hostname
        del server
    finally:
        for number, own in told:
            os.dup2(own, number)

count = answer.get("usage", {}).get("completion_tokens")
if count != WORDS:
    fail("llama.cpp wrote {count} tokens instead of {wanted}", count=count, wanted=WORDS)
if address != "127.0.0.1":
    fail("llama.cpp listens on {address}, where others may reach it", address=address)
rate = f"{WORDS / seconds:.0f}"
version = xllamacpp.__version__
CPU = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
others = [device["description"] for device in xllamacpp.get_device_info() if device["type"] != CPU]
if others:
    say("llama.cpp (xllamacpp {version}): a small GGUF model writes {rate} tokens a second on {name}", version=version, rate=rate, name=others[0])
else:
    say("llama.cpp (xllamacpp {version}): a small GGUF model writes {rate} tokens a second ON THE CPU: this build computes on no GPU", version=version, rate=rate)
