/**
 * Static Linux programs of a few hundred bytes, made of system calls and jumps only: the pause container and the echo servers of the
 * box image. Written once, assembled for x86-64 and arm64, so that neither a compiler nor a prebuilt binary is needed.
 */

export type Architecture = 'amd64' | 'arm64';

/** A system call's argument: a number, the address of a label, or a value kept earlier. */
export type Argument = number | { readonly address: string } | { readonly kept: 0 | 1 };

export type Instruction =
  /** Calls the kernel; what it gives is "the result" from here on. */
  | { readonly op: 'call'; readonly name: SystemCall; readonly args: readonly Argument[] }
  /** Keeps the result in one of two places that calls do not touch. */
  | { readonly op: 'keep'; readonly at: 0 | 1 }
  | { readonly op: 'label'; readonly name: string }
  | { readonly op: 'jump'; readonly to: string; readonly when?: 'negative' | 'zero' | 'positive' | { readonly equals: number } };

export interface TinyProgram {
  readonly code: readonly Instruction[];
  /** Initialised data, by label. */
  readonly data: Readonly<Record<string, Uint8Array>>;
  /** Zeroed memory after the file's end, label → bytes. */
  readonly space: Readonly<Record<string, number>>;
}

/** Numbers from arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h. */
const systemCalls = {
  read: { amd64: 0, arm64: 63 },
  write: { amd64: 1, arm64: 64 },
  close: { amd64: 3, arm64: 57 },
  rt_sigprocmask: { amd64: 14, arm64: 135 },
  socket: { amd64: 41, arm64: 198 },
  sendto: { amd64: 44, arm64: 206 },
  recvfrom: { amd64: 45, arm64: 207 },
  bind: { amd64: 49, arm64: 200 },
  listen: { amd64: 50, arm64: 201 },
  setsockopt: { amd64: 54, arm64: 208 },
  clone: { amd64: 56, arm64: 220 },
  wait4: { amd64: 61, arm64: 260 },
  rt_sigtimedwait: { amd64: 128, arm64: 137 },
  exit_group: { amd64: 231, arm64: 94 },
  accept4: { amd64: 288, arm64: 242 },
} as const;

export type SystemCall = keyof typeof systemCalls;

export function call(name: SystemCall, ...args: Argument[]): Instruction {
  return { op: 'call', name, args };
}

export function label(name: string): Instruction {
  return { op: 'label', name };
}

export function jump(to: string, when?: Extract<Instruction, { op: 'jump' }>['when']): Instruction {
  return when === undefined ? { op: 'jump', to } : { op: 'jump', to, when };
}

export function keep(at: 0 | 1): Instruction {
  return { op: 'keep', at };
}

/** Where a label's distance goes once all labels are known. */
interface Fixup {
  readonly at: number;
  readonly label: string;
  patch(code: Uint8Array, distance: number): void;
}

interface Assembler {
  emit(instruction: Exclude<Instruction, { op: 'label' }>): void;
  readonly bytes: number[];
  readonly fixups: Fixup[];
}

function littleEndian(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff];
}

function writeWord(code: Uint8Array, at: number, value: number): void {
  code.set(littleEndian(value), at);
}

/** x86-64: arguments in rdi rsi rdx r10 r8 r9, number and result in rax, kept values in rbx and rbp. */
function amd64(): Assembler {
  const bytes: number[] = [];
  const fixups: Fixup[] = [];
  const argument = [7, 6, 2, 10, 8, 9] as const;
  const kept = [3, 5] as const;
  const relative = (target: string): void => {
    const at = bytes.length;
    bytes.push(0, 0, 0, 0);
    // Distances count from the end of the instruction, which is the end of these four bytes.
    fixups.push({ at, label: target, patch: (code, distance) => writeWord(code, at, distance - 4) });
  };
  const conditions = { negative: 0x88, zero: 0x84, positive: 0x8f, equals: 0x84 } as const;
  return {
    bytes,
    fixups,
    emit(instruction) {
      switch (instruction.op) {
        case 'call':
          instruction.args.forEach((arg, i) => {
            const register = argument[i] ?? 7;
            const high = register >> 3;
            const low = register & 7;
            // mov r64, imm32 (sign-extended); mov r64, r64; lea r64, [rip + distance]
            if (typeof arg === 'number') bytes.push(0x48 | high, 0xc7, 0xc0 | low, ...littleEndian(arg));
            else if ('kept' in arg) bytes.push(0x48 | high, 0x89, 0xc0 | (kept[arg.kept] << 3) | low);
            else {
              bytes.push(0x48 | (high << 2), 0x8d, 0x05 | (low << 3));
              relative(arg.address);
            }
          });
          bytes.push(0xb8, ...littleEndian(systemCalls[instruction.name].amd64), 0x0f, 0x05);
          break;
        case 'keep':
          bytes.push(0x48, 0x89, 0xc0 | kept[instruction.at]);
          break;
        case 'jump': {
          const { when } = instruction;
          if (when === undefined) bytes.push(0xe9);
          else if (typeof when === 'object') bytes.push(0x3d, ...littleEndian(when.equals), 0x0f, conditions.equals);
          else bytes.push(0x85, 0xc0, 0x0f, conditions[when]);
          relative(instruction.to);
        }
      }
    },
  };
}

/** arm64: arguments in x0…x5, number in x8, result in x0, kept values in x19 and x20. */
function arm64(): Assembler {
  const bytes: number[] = [];
  const fixups: Fixup[] = [];
  const word = (value: number): void => void bytes.push(...littleEndian(value));
  const immediate = (register: number, value: number): void => {
    // movn for negative numbers, movz and movk otherwise
    if (value < 0) word(0x92800000 | ((~value & 0xffff) << 5) | register);
    else {
      word(0xd2800000 | ((value & 0xffff) << 5) | register);
      if (value > 0xffff) word(0xf2a00000 | ((value >>> 16) << 5) | register);
    }
  };
  const address = (register: number, target: string): void => {
    const at = bytes.length;
    word(0);
    const patch = (code: Uint8Array, distance: number): void =>
      writeWord(code, at, 0x10000000 | ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5) | register);
    fixups.push({ at, label: target, patch });
  };
  const conditions = { negative: 0xb, zero: 0x0, positive: 0xc, equals: 0x0 } as const;
  const branch = (opcode: number, shift: number, mask: number, target: string): void => {
    const at = bytes.length;
    word(0);
    fixups.push({ at, label: target, patch: (code, distance) => writeWord(code, at, opcode | (((distance >> 2) & mask) << shift)) });
  };
  return {
    bytes,
    fixups,
    emit(instruction) {
      switch (instruction.op) {
        case 'call':
          instruction.args.forEach((arg, i) => {
            if (typeof arg === 'number') immediate(i, arg);
            else if ('kept' in arg) word(0xaa0003e0 | ((19 + arg.kept) << 16) | i);
            else address(i, arg.address);
          });
          immediate(8, systemCalls[instruction.name].arm64);
          word(0xd4000001);
          break;
        case 'keep':
          word(0xaa0003e0 | (19 + instruction.at));
          break;
        case 'jump': {
          const { when } = instruction;
          if (when === undefined) branch(0x14000000, 0, 0x3ffffff, instruction.to);
          else {
            // cmp w0, #imm
            word(0x7100001f | ((typeof when === 'object' ? when.equals : 0) << 10));
            branch(0x54000000 | (typeof when === 'object' ? conditions.equals : conditions[when]), 5, 0x7ffff, instruction.to);
          }
        }
      }
    },
  };
}

const loadAddress = 0x400000;
const headerSize = 64 + 56;

/** The program as a static ELF executable (System V ABI, one segment). */
export function assemble(program: TinyProgram, architecture: Architecture): Uint8Array {
  const assembler = architecture === 'amd64' ? amd64() : arm64();
  const labels = new Map<string, number>();
  for (const instruction of program.code) {
    if (instruction.op === 'label') labels.set(instruction.name, assembler.bytes.length);
    else assembler.emit(instruction);
  }
  const parts: Uint8Array[] = [Uint8Array.from(assembler.bytes)];
  let end = assembler.bytes.length;
  const align = (): void => {
    const gap = (8 - (end % 8)) % 8;
    parts.push(new Uint8Array(gap));
    end += gap;
  };
  for (const [name, bytes] of Object.entries(program.data)) {
    align();
    labels.set(name, end);
    parts.push(bytes);
    end += bytes.length;
  }
  align();
  const fileSize = headerSize + end;
  for (const [name, size] of Object.entries(program.space)) {
    labels.set(name, end);
    end += Math.ceil(size / 8) * 8;
  }
  const image = new Uint8Array(fileSize);
  image.set(Buffer.concat(parts), headerSize);
  const code = image.subarray(headerSize);
  for (const fixup of assembler.fixups) {
    const target = labels.get(fixup.label);
    if (target === undefined) throw new RangeError(`Cannot assemble: no label "${fixup.label}"`);
    fixup.patch(code, target - fixup.at);
  }
  const view = new DataView(image.buffer);
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  view.setUint16(16, 2, true);
  view.setUint16(18, architecture === 'amd64' ? 62 : 183, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(loadAddress + headerSize), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  // Readable, writable and executable: code, data and buffers share the one page there is.
  view.setUint32(68, 7, true);
  view.setBigUint64(80, BigInt(loadAddress), true);
  view.setBigUint64(88, BigInt(loadAddress), true);
  view.setBigUint64(96, BigInt(fileSize), true);
  view.setBigUint64(104, BigInt(headerSize + end), true);
  view.setBigUint64(112, 0x10000n, true);
  return image;
}
