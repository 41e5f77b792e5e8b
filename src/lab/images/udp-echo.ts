/**
 * Sends each UDP datagram on port 7 back to where it came from: the one server of the box that Debian's busybox has no applet for. A static
 * program of a few system calls, in the instructions of both processors, so that neither a compiler nor a prebuilt file is needed.
 */

export type Architecture = 'amd64' | 'arm64';

/** struct sockaddr_in (ip(7)): AF_INET, port 7, any address; then the 16 of a peer's address, for recvfrom. */
const data = '0200 0007 00000000 0000000000000000  1000000000000000';

/** Distances are to what follows the code: `any` and `length` of the data, `peer` and `buffer` in memory after the file's end. */
const code: Readonly<Record<Architecture, string>> = {
  // Arguments in rdi rsi rdx r10 r8 r9, the number and the result in rax; rbx keeps the socket, rbp the size.
  amd64: `
    48c7c702000000 48c7c602000000 48c7c200000000 b829000000 0f05                              | socket(AF_INET, SOCK_DGRAM, 0)
    4889c3                                                                                    | keep the socket
    4889df 488d358f000000 48c7c210000000 b831000000 0f05                                      | bind(socket, any, 16)
    85c0 0f8866000000                                                                         | negative: to the exit
    4889df 488d3597000000 48c7c200000100 49c7c200000000 4c8d0572000000 4c8d0d63000000 b82d000000 0f05 | next: recvfrom(socket, buffer, 65536, 0, peer, length)
    85c0 0f88cbffffff                                                                         | negative: to next
    4889c5                                                                                    | keep the size
    4889df 488d355f000000 4889ea 49c7c200000000 4c8d053e000000 49c7c110000000 b82c000000 0f05 | sendto(socket, buffer, size, 0, peer, 16)
    e99affffff                                                                                | to next
    48c7c701000000 b8e7000000 0f05 0000000000                                                      | exit_group(1)`,
  // Arguments and result in x0…x5, the number in x8; x19 keeps the socket, x20 the size.
  arm64: `
    400080d2 410080d2 020080d2 c81880d2 010000d4                                     | socket(AF_INET, SOCK_DGRAM, 0)
    f30300aa                                                                         | keep the socket
    e00313aa e1030010 020280d2 081980d2 010000d4                                     | bind(socket, any, 16)
    1f000071 cb020054                                                                | negative: to the exit
    e00313aa 41040010 020080d2 2200a0f2 030080d2 44030010 e5020010 e81980d2 010000d4 | next: recvfrom(socket, buffer, 65536, 0, peer, length)
    1f000071 cbfeff54                                                                | negative: to next
    f40300aa                                                                         | keep the size
    e00313aa c1020010 e20314aa 030080d2 e4010010 050280d2 c81980d2 010000d4          | sendto(socket, buffer, size, 0, peer, 16)
    ecffff17                                                                         | to next
    200080d2 c80b80d2 010000d4 00000000                                              | exit_group(1)`,
};

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(/\|.*|\s/g, ''), 'hex');
}

const loadAddress = 0x400000;
const headerSize = 64 + 56;
const [peerSize, bufferSize] = [16, 65536];

/** As a static ELF executable (elf(5)): both headers, and one segment that can be read, written and executed. */
export function udpEcho(architecture: Architecture): Uint8Array {
  const text = Buffer.concat([bytes(code[architecture]), bytes(data)]);
  const header = Buffer.alloc(headerSize);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(architecture === 'amd64' ? 62 : 183, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(loadAddress + headerSize), 24);
  header.writeBigUInt64LE(64n, 32);
  for (const [at, value] of [64, 56, 1].entries()) header.writeUInt16LE(value, 52 + 2 * at);
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(7, 68);
  const size = headerSize + text.length;
  const words = [loadAddress, loadAddress, size, size + peerSize + bufferSize, 0x10000];
  for (const [at, value] of words.entries()) header.writeBigUInt64LE(BigInt(value), 80 + 8 * at);
  return Buffer.concat([header, text]);
}
