#!/usr/bin/env python3
"""Prints embeddings of MiniLM that Python's ONNX Runtime computes, with pooling in numpy.

    pip install onnxruntime==1.28.0 numpy==2.3.5
    minilm_reference.py ../.runtime/models/minilm_int8.onnx > minilm_reference.json

The first request is "Hello world" in BERT's tokens. Token i of the others is 1000 + i * 7919 % 28000. All requests are one batch.
"""

import json
import sys

import numpy as np
import onnxruntime

CLS, SEP, PAD = 101, 102, 0
LENGTHS = (16, 40)


def main():
    requests = [[CLS, 7592, 2088, SEP]] + [[CLS, *(1000 + i * 7919 % 28000 for i in range(length - 2)), SEP] for length in LENGTHS]
    columns = max(map(len, requests))
    tokens = np.array([request + [PAD] * (columns - len(request)) for request in requests], dtype=np.int64)
    attention = np.array([[1] * len(request) + [0] * (columns - len(request)) for request in requests], dtype=np.int64)
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    inputs = {"input_ids": tokens, "attention_mask": attention, "token_type_ids": np.zeros_like(tokens)}
    hidden = session.run(["last_hidden_state"], inputs)[0].astype(np.float64)
    summed = (hidden * attention[:, :, None]).sum(axis=1)
    embeddings = summed / np.linalg.norm(summed, axis=1, keepdims=True)
    print(json.dumps({"requests": requests, "embeddings": embeddings.round(6).tolist()}, separators=(",", ":")))


if __name__ == "__main__":
    main()
