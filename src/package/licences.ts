/** The licences of everything that is inside: one file for each npm package, and one for Node.js with what it is made of. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { file, type TarEntry } from '../lab/images/tar.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly repository?: string | { readonly url: string };
}

function read(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** What the package says of its licence, and its own copy of it where it brings one. */
function licenceText(folder: string, { name, version, license, repository }: Manifest): string {
  const source = typeof repository === 'string' ? repository : repository?.url;
  const texts = readdirSync(folder)
    .filter((entry) => /^(?:licen[cs]e|copying|notice)\b/i.test(entry))
    .toSorted()
    .map((entry) => readFileSync(join(folder, entry), 'utf8'));
  if (license === undefined && texts.length === 0) throw new Error(`${folder} says nothing of its licence`);
  return [`${name} ${version}, ${license ?? 'see below'}`, ...(source === undefined ? [] : [source]), '', ...texts].join('\n');
}

/** `folders` are the packages. */
export function licenceFiles(folders: readonly string[]): TarEntry[] {
  return folders.map((folder) => {
    const manifest = read(folder);
    return file(`licenses/${manifest.name.replace('/', '+')}-${manifest.version}.txt`, licenceText(folder, manifest));
  });
}
