/**
 * `/logs/`: the node's own logs, as files and lists of them, read only (upstream serves /var/log by Go's http.FileServer; so do the pages look).
 * A pod that mounts /var/log could lay a link there to any file of the node: what lies outside of the directory is not there, by whatever way.
 */
import type { Stats } from 'node:fs';
import { constants, type FileHandle, open, readdir, readlink, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { systemCode } from '../../errors/known-error.ts';
import { handlePath } from '../../linux/open-inside.ts';
import { HttpError } from './http-error.ts';

const notFound = (): HttpError => new HttpError(404, '404 page not found');
/** How much of a file is read to tell text from other content. */
const sniffBytes = 512;

/** `path` is what follows `/logs/`, decoded, part by part. Throws HttpError 404 or 405. */
export async function serveNodeLogs(root: string, path: readonly string[], req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.method !== 'GET' && req.method !== 'HEAD') throw new HttpError(405, 'method not allowed');
  if (path.some((part) => part === '..' || part.includes('/') || part.includes('\0'))) throw notFound();
  await using file = await openWithin(await realpath(root), join(root, ...path));
  const found = await file.stat();
  const asDirectory = new URL(req.url ?? '/', 'http://kubelet').pathname.endsWith('/');
  if (found.isDirectory()) {
    if (!asDirectory) {
      // Relative, so that it holds behind whatever proxy.
      res.writeHead(301, { location: `${encodeURIComponent(path.at(-1) ?? 'logs')}/`, 'content-length': 0 }).end();
      return;
    }
    return await list(await readdir(handlePath(file), { withFileTypes: true }), handlePath(file), req, res);
  }
  if (!found.isFile() || asDirectory) throw notFound();
  await send(file, found, req, res);
}

async function send(file: FileHandle, { size, mtime }: Stats, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const type = (await isText(file, size)) ? 'text/plain; charset=utf-8' : 'application/octet-stream';
  res.writeHead(200, { 'content-type': type, 'content-length': size, 'last-modified': mtime.toUTCString() });
  // Not more than was promised: a log grows while it is read.
  if (req.method === 'HEAD' || size === 0) res.end();
  else await pipeline(file.createReadStream({ start: 0, end: size - 1, autoClose: false }), res);
}

/** Opened first and looked at then: what a link leads to may change between two looks, what is open stays. */
async function openWithin(root: string, path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK a named pipe would hold the request, and a thread, for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (err) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENXIO', 'ENAMETOOLONG'].includes(systemCode(err) ?? '')) throw notFound();
    throw err;
  }
  const real = await readlink(handlePath(file));
  if (real === root || real.startsWith(`${root}/`)) return file;
  await file.close();
  throw notFound();
}

async function isText(file: FileHandle, size: number): Promise<boolean> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, sniffBytes) || 1), 0, Math.min(size, sniffBytes), 0);
  return !buffer.subarray(0, bytesRead).includes(0);
}

type Entries = readonly { readonly name: string; isDirectory(): boolean; isSymbolicLink(): boolean }[];

async function list(entries: Entries, dir: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const names = await Promise.all(
    entries.map(async (entry) => {
      const isDirectory = entry.isSymbolicLink() ? await leadsToDirectory(join(dir, entry.name)) : entry.isDirectory();
      return isDirectory ? `${entry.name}/` : entry.name;
    }),
  );
  const lines = names.toSorted().map((name) => `<a href="${href(name)}">${escaped(name)}</a>\n`);
  const page = `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${lines.join('')}</pre>\n`;
  res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': Buffer.byteLength(page) });
  res.end(req.method === 'HEAD' ? undefined : page);
}

async function leadsToDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** A name with a colon would be read as a scheme. */
function href(name: string): string {
  const path = name.split('/').map(encodeURIComponent).join('/');
  return name.includes(':') ? `./${path}` : path;
}

function escaped(name: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
  return name.replaceAll(/[&<>"']/g, (c) => entities[c] ?? c);
}
