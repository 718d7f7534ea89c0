"""Derives rs.json: known answers for the erasure code, from its definition and nothing of the TypeScript code.

Products are carry-less multiplication reduced bit by bit, inverses are found by search. Run: python3 derive.py > rs.json
"""

import json


def product(a, b):
    result = 0
    while b:
        if b & 1:
            result ^= a
        b >>= 1
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
    return result


def inverse(a):
    return next(b for b in range(256) if product(a, b) == 1)


def vector(k, m, length):
    rows = [[inverse((k + i) ^ j) for j in range(k)] for i in range(m)]
    # Data shard j, byte at: distinct per shard and not linear over the field.
    data = [[(at * at * 7 + at * 13 + j * 101 + at * j + 5) & 255 for at in range(length)] for j in range(k)]
    parity = []
    for row in rows:
        out = [0] * length
        for coefficient, shard in zip(row, data):
            out = [o ^ product(coefficient, byte) for o, byte in zip(out, shard)]
        parity.append(bytes(out).hex())
    return {
        "code": f"rs-{k}-{m}",
        "rows": [bytes(row).hex() for row in rows],
        "data": [bytes(shard).hex() for shard in data],
        "parity": parity,
    }


cases = [(1, 2, 20), (2, 1, 35), (3, 2, 5), (4, 2, 35), (6, 3, 35), (8, 4, 35), (10, 4, 35), (16, 16, 17)]
print(json.dumps([vector(*case) for case in cases], indent=2))
