"""A tiny language model is made on the spot, learns, is saved, read back and writes: nothing is downloaded."""

import io
import logging
import os
import tempfile
import time

home = tempfile.TemporaryDirectory()
os.environ.update(HF_HOME=home.name, HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")
logging.disable(logging.WARNING)

import sentencepiece
import torch
import transformers
from accelerate import Accelerator
from datasets import Dataset, disable_progress_bars

disable_progress_bars()
transformers.utils.logging.disable_progress_bar()

TEXT = ["the cat sat on the mat", "the dog sat on the log", "a bird sang in the tree"]


def tokenizer() -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    lines = iter(TEXT * 20)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=model, vocab_size=40, hard_vocab_limit=False, minloglevel=2
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def learn(model, accelerator, tokens, steps: int) -> tuple[float, float]:
    """The loss before and after some steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    model, optimizer = accelerator.prepare(model, optimizer)
    losses = []
    for _ in range(steps):
        loss = model(input_ids=tokens, labels=tokens).loss
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses[0], losses[-1]


kind = os.environ.get("AITK_ACCELERATOR_KIND", "none")
accelerator = Accelerator(cpu=kind == "none")
device = accelerator.device
if kind != "none" and device.type == "cpu":
    fail("the model would be computed by the CPU, though there is a GPU for {kind}: see `aitk doctor`", kind=kind)

torch.manual_seed(0)
pieces = tokenizer()
data = Dataset.from_dict({"text": TEXT}).map(lambda row: {"ids": pieces.encode(row["text"])})
longest = max(len(ids) for ids in data["ids"])
tokens = torch.tensor([ids + [0] * (longest - len(ids)) for ids in data["ids"]], device=device)
config = transformers.LlamaConfig(
    vocab_size=pieces.vocab_size(), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4
)
model = transformers.LlamaForCausalLM(config).to(device)
before, after = learn(model, accelerator, tokens, steps=20)
if not after < before * 0.7:
    fail("the model learns nothing on {device}: its loss went from {before} to {after}", device=device, before=f"{before:.2f}", after=f"{after:.2f}")

with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder)
    back = transformers.LlamaForCausalLM.from_pretrained(folder).to(device).eval()
with torch.no_grad():
    same = torch.allclose(back(tokens).logits, model.eval()(tokens).logits, atol=1e-3)
if not same:
    fail("the model that is read back answers otherwise than the one that was saved")

# The first word loads what is needed for all that follow.
back.generate(tokens[:1, :2], max_new_tokens=2, do_sample=False, pad_token_id=0)
since = time.perf_counter()
written = back.generate(tokens[:1, :2], min_new_tokens=64, max_new_tokens=64, do_sample=False, pad_token_id=0)
count = written.shape[1] - 2
rate = f"{count / (time.perf_counter() - since):.0f}"
if count != 64:
    fail("the model wrote {count} tokens instead of 64", count=count)
version = transformers.__version__
if device.type == "cpu":
    say("Transformers {version}: a small model learns and writes {rate} tokens a second ON THE CPU: no GPU computes here", version=version, rate=rate)
else:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    say("Transformers {version}: a small model learns and writes {rate} tokens a second on {name}", version=version, rate=rate, name=name)
