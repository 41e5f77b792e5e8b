/** Credentials for a registry out of an image pull secret. */

import type { Input } from '../../api/codec/message-type.ts';
import type { Secret } from '../../api/schema/types.ts';
import type { AuthConfig } from '../cri/messages.ts';

interface DockerConfigEntry {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
}

/** The entry whose registry the image is of, if the secret has one (.dockerconfigjson or .dockercfg). */
export function authFor(secret: Secret, image: string): Input<AuthConfig> | undefined {
  const auths = authsOf(secret);
  const wanted = `${registryOf(image)}/${image.includes('/') ? image.slice(image.indexOf('/') + 1) : image}`;
  const host = registryOf(image);
  const matches = Object.entries(auths)
    .map(([key, entry]) => ({
      place: key
        .replace(/^https?:\/\//, '')
        .replace(/\/v[12]\/?$/, '')
        .replace(/\/$/, ''),
      entry,
    }))
    .filter(({ place }) => place === host || wanted.startsWith(`${place}/`) || (host === 'docker.io' && place === 'index.docker.io'))
    .sort((a, b) => b.place.length - a.place.length);
  const entry = matches[0]?.entry;
  if (!entry) return undefined;
  const [user, ...rest] = entry.auth ? Buffer.from(entry.auth, 'base64').toString().split(':') : [];
  return {
    username: entry.username ?? user ?? '',
    password: entry.password ?? rest.join(':'),
    identityToken: entry.identitytoken ?? '',
  };
}

function authsOf(secret: Secret): Record<string, DockerConfigEntry> {
  const whole = secret.data?.['.dockerconfigjson'];
  const old = secret.data?.['.dockercfg'];
  try {
    if (whole) return (JSON.parse(Buffer.from(whole, 'base64').toString()) as { auths?: Record<string, DockerConfigEntry> }).auths ?? {};
    if (old) return JSON.parse(Buffer.from(old, 'base64').toString()) as Record<string, DockerConfigEntry>;
  } catch {
    // A secret that cannot be read gives no credentials; the pull then says what the registry thinks of that.
  }
  return {};
}

function registryOf(image: string): string {
  const first = image.split('/')[0] ?? '';
  return image.includes('/') && /[.:]|^localhost$/.test(first) ? first : 'docker.io';
}
