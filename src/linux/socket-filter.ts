/** Programs of classic BPF, by which a socket lets datagrams pass or not (linux/filter.h). Pure. */

/** Of a jump, `ifTrue` and `ifFalse` are how many instructions are passed over. */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** Loads of a word, a half word and a byte at a place, the last two also behind the index; jumps; what goes into the index; `give` ends with how many bytes pass. */
export const bpf = {
  loadWord: 0x20,
  loadHalf: 0x28,
  loadByte: 0x30,
  loadHalfBehind: 0x48,
  loadByteBehind: 0x50,
  and: 0x54,
  jumpIfEqual: 0x15,
  indexIs: 0x01,
  /** The length of the IPv4 header at a place. */
  indexIsHeader: 0xb1,
  give: 0x06,
} as const;

/** As `Libc.attachFilter` takes it. */
export function encodeFilter(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [i, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(ifTrue, i * 8 + 2);
    bytes.writeUInt8(ifFalse, i * 8 + 3);
    bytes.writeUInt32LE(value, i * 8 + 4);
  }
  return bytes;
}
