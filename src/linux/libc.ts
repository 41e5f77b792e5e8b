/** The few system calls that Node.js has no function for, by FFI. Loaded on first use: most processes never need them. */
import { createRequire } from 'node:module';
import type koffiTypes from 'koffi';

export interface Libc {
  setns(fd: number, type: number): number;
  flock(fd: number, operation: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  /** `length` is an `int`: the room in `value`, and afterwards how much of it was written. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number;
  /** SO_ATTACH_FILTER: instructions of classic BPF, 8 bytes each, decide which datagrams a socket gets. */
  attachFilter(fd: number, instructions: Uint8Array): number;
  recv(fd: number, buffer: Uint8Array, length: number, flags: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  /** With a number as its argument. */
  fcntl(fd: number, command: number, value: number): number;
  mkfifo(path: string, mode: number): number;
  /** In a thread of the pool: the event loop goes on while the kernel takes its time. Resolves to what send(2) returned. */
  sendAside(fd: number, bytes: Uint8Array): Promise<number>;
  /** As `sendAside`, of recv(2). */
  recvAside(fd: number, buffer: Uint8Array, flags: number): Promise<number>;
  /** Of the last call of this thread. */
  errno(): number;
}

/** An `int` as the kernel reads it. */
export function i32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

let opened: { readonly koffi: typeof koffiTypes; readonly lib: ReturnType<typeof koffiTypes.load> } | undefined;

/** The C library itself, for system calls that take more than numbers and bytes. */
export function openLibc(): NonNullable<typeof opened> {
  if (opened) return opened;
  const koffi = createRequire(import.meta.url)('koffi') as typeof koffiTypes;
  opened = { koffi, lib: koffi.load('libc.so.6') };
  return opened;
}

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
/** On a 64 bit machine: a 16 bit number, a gap, a pointer. */
const filterProgramLength = 16;

let libc: Libc | undefined;

export function loadLibc(): Libc {
  if (libc) return libc;
  const { koffi, lib } = openLibc();
  const send = lib.func('intptr_t send(int fd, const uint8_t *buffer, uintptr_t length, int flags)');
  const recv = lib.func('intptr_t recv(int fd, _Out_ uint8_t *buffer, uintptr_t length, int flags)');
  const program = koffi.struct({ length: 'uint16_t', instructions: 'const uint8_t *' });
  const filter = lib.func('setsockopt', 'int', ['int', 'int', 'int', koffi.pointer(program), 'uint32_t']);
  const fcntl = lib.func('int fcntl(int fd, int command, ...)');
  libc = {
    setns: lib.func('int setns(int fd, int type)') as Libc['setns'],
    flock: lib.func('int flock(int fd, int operation)') as Libc['flock'],
    socket: lib.func('int socket(int domain, int type, int protocol)') as Libc['socket'],
    bind: lib.func('int bind(int fd, const void *address, uint32_t length)') as Libc['bind'],
    getsockname: lib.func('int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint8_t *length)') as Libc['getsockname'],
    listen: lib.func('int listen(int fd, int backlog)') as Libc['listen'],
    setsockopt: lib.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)') as Libc['setsockopt'],
    getsockopt: lib.func(
      'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint8_t *length)',
    ) as Libc['getsockopt'],
    attachFilter: (fd, instructions) =>
      filter(fd, SOL_SOCKET, SO_ATTACH_FILTER, { length: instructions.length / 8, instructions }, filterProgramLength) as number,
    recv: recv as unknown as Libc['recv'],
    send: send as unknown as Libc['send'],
    fcntl: (fd, command, value) => fcntl(fd, command, 'int', value) as number,
    mkfifo: lib.func('int mkfifo(const char *path, uint32_t mode)') as Libc['mkfifo'],
    sendAside: (fd, bytes) =>
      new Promise((resolve, reject) => {
        send.async(fd, bytes, bytes.length, 0, (err: unknown, sent: number) => (err ? reject(err) : resolve(Number(sent))));
      }),
    recvAside: (fd, buffer, flags) =>
      new Promise((resolve, reject) => {
        recv.async(fd, buffer, buffer.length, flags, (err: unknown, length: number) => (err ? reject(err) : resolve(Number(length))));
      }),
    errno: () => koffi.errno(),
  };
  return libc;
}
