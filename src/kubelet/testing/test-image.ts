/** Makes a small OCI image of busybox as a tar file that `ctr images import` takes. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** A static one, for an image without libraries: what bootstrap has unpacked where the system's own is dynamic. */
export const busybox: string =
  ['/var/lib/fairlead/.cache/busybox', '/usr/bin/busybox'].find((path) => existsSync(path)) ?? '/usr/bin/busybox';

interface Entry {
  readonly name: string;
  readonly body?: Uint8Array;
  readonly link?: string;
  readonly mode?: number;
  readonly directory?: boolean;
}

const tools =
  'sh cat echo sleep httpd nc wget nslookup ip ls env id true false kill ps touch mkdir hostname head seq tr wc grep stat mount'.split(' ');

function header(entry: Entry): Buffer {
  const block = Buffer.alloc(512);
  block.write(entry.name, 0, 100);
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
  };
  octal(entry.mode ?? 0o755, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(entry.body?.length ?? 0, 124, 12);
  octal(0, 136, 12);
  block.write('        ', 148);
  block.write(entry.directory ? '5' : entry.link === undefined ? '0' : '2', 156);
  if (entry.link !== undefined) block.write(entry.link, 157, 100);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((a, b) => a + b, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function tar(entries: readonly Entry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    parts.push(header(entry));
    if (!entry.body) continue;
    parts.push(entry.body, Buffer.alloc((512 - (entry.body.length % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function writeImage(file: string, name: string, command: readonly string[]): void {
  const layer = tar([
    ...['bin/', 'tmp/', 'etc/'].map((dir) => ({ name: dir, directory: true })),
    { name: 'bin/busybox', body: readFileSync(busybox) },
    ...tools.map((tool) => ({ name: `bin/${tool}`, link: 'busybox' })),
  ]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Cmd: command, Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digestOf(layer)}`] },
    }),
  );
  const descriptor = (mediaType: string, body: Uint8Array): object => ({
    mediaType: `application/vnd.oci.image.${mediaType}`,
    digest: `sha256:${digestOf(body)}`,
    size: body.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, config: descriptor('config.v1+json', config), layers: [descriptor('layer.v1.tar', layer)] }),
  );
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ ...descriptor('manifest.v1+json', manifest), annotations: { 'io.containerd.image.name': name } }],
    }),
  );
  writeFileSync(
    file,
    tar([
      { name: 'oci-layout', body: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
      { name: 'index.json', body: index },
      ...[layer, config, manifest].map((body) => ({ name: `blobs/sha256/${digestOf(body)}`, body })),
    ]),
  );
}
