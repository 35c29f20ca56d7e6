"""A Llama with a few thousand random weights and its tokenizer, as a folder that transformers loads.

usage: python tiny_hf.py FOLDER        needs: torch, transformers (installed in the live environment, not in ours)
"""

from __future__ import annotations

import sys

import torch
from tiny_words import CHAT_TEMPLATE, FEED, HEADS, LAYERS, WIDTH, WORDS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

MARKS = ["<unk>", "<s>", "</s>"]


def vocabulary() -> tuple[dict[str, int], int]:
    """Each token's number, and the first that is a word; `Ġ` is this tokenizer's space."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*MARKS, *letters, *[f"Ġ{word}" for word in WORDS]]
    return {token: number for number, token in enumerate(tokens)}, len(MARKS) + len(letters)


def tokenizer(numbers: dict[str, int]) -> PreTrainedTokenizerFast:
    pieces = Tokenizer(models.BPE(vocab=numbers, merges=[], unk_token="<unk>"))
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    whole = PreTrainedTokenizerFast(
        tokenizer_object=pieces, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    whole.chat_template = CHAT_TEMPLATE
    return whole


def model(size: int, first_word: int) -> LlamaForCausalLM:
    torch.manual_seed(0)
    shape = {"hidden_size": WIDTH, "intermediate_size": FEED, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS}
    marks = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    made = LlamaForCausalLM(LlamaConfig(vocab_size=size, max_position_embeddings=2048, **shape, **marks))
    with torch.no_grad():
        made.model.embed_tokens.weight.normal_(0, 1.0)
        made.lm_head.weight.normal_(0, 0.5)
        made.lm_head.weight[:2] = 0
        made.lm_head.weight[3:first_word] = 0  # only words and the end mark are ever said
    return made


def main(folder: str) -> None:
    numbers, first_word = vocabulary()
    model(len(numbers), first_word).save_pretrained(folder)
    tokenizer(numbers).save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1])
