"""A Llama with a few thousand random weights, in the file format of llama.cpp: it answers in words that mean nothing.

usage: python tiny_gguf.py OUT.gguf        needs: gguf, numpy (installed in the live environment, not in ours)
"""

from __future__ import annotations

import sys

import gguf
import numpy as np
from tiny_words import CALLS, CHAT_TEMPLATE, FEED, HEADS, LAYERS, WIDTH, WORDS


def vocabulary() -> tuple[list[str], list[float], list[int], int]:
    kind = gguf.TokenType
    rows = [("<unk>", 0.0, kind.UNKNOWN), ("<s>", 0.0, kind.CONTROL), ("</s>", 0.0, kind.CONTROL)]
    rows += [(f"<0x{byte:02X}>", 0.0, kind.BYTE) for byte in range(256)]
    rows += [(chr(code), -100.0, kind.NORMAL) for code in range(33, 127)] + [("\u2581", -100.0, kind.NORMAL)]
    first_word = len(rows)
    rows += [(CALLS, 0.0, kind.USER_DEFINED)]
    rows += [("\u2581" + word, -1.0 - rank, kind.NORMAL) for rank, word in enumerate(WORDS)]
    tokens, scores, kinds = zip(*rows, strict=True)
    return list(tokens), list(scores), [int(each) for each in kinds], first_word


def write_vocabulary(writer: gguf.GGUFWriter) -> tuple[int, int]:
    tokens, scores, kinds, first_word = vocabulary()
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    return len(tokens), first_word


def write_weights(writer: gguf.GGUFWriter, size: int, first_word: int) -> None:
    random = np.random.default_rng(0)

    def tensor(*shape: int, scale: float = 0.1) -> np.ndarray:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    output = tensor(size, WIDTH, scale=0.6)
    output[:2] = output[3:first_word] = 0  # only words and the two marks are ever said
    writer.add_tensor("token_embd.weight", tensor(size, WIDTH, scale=1.0))
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}{norm}.weight", np.ones(WIDTH, np.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}{part}.weight", tensor(WIDTH, WIDTH))
        writer.add_tensor(block + "ffn_gate.weight", tensor(FEED, WIDTH))
        writer.add_tensor(block + "ffn_up.weight", tensor(FEED, WIDTH))
        writer.add_tensor(block + "ffn_down.weight", tensor(WIDTH, FEED))


def main(path: str) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    write_weights(writer, *write_vocabulary(writer))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1])
