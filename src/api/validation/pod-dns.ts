/** A pod's dnsConfig, for its resolv.conf. The limits are upstream's, which has them from libc. */
import type { PodSpec } from '../schema/types.ts';
import { eachOf, type FieldError, invalid, invalids, required } from './field-error.ts';
import { ipErrors } from './formats.ts';
import { isUnderscoredSubdomain } from './names.ts';

const maxNameServers = 3;
const maxSearchPaths = 32;
const maxSearchCharacters = 2048;

export function dnsConfigErrors({ dnsConfig, dnsPolicy }: PodSpec, path: string): FieldError[] {
  if (dnsPolicy === 'None') {
    if (!dnsConfig) return [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    if (!dnsConfig.nameservers?.length) {
      return [required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')];
    }
  }
  const { nameservers = [], searches = [], options } = dnsConfig ?? {};
  const errors: FieldError[] = [];
  if (nameservers.length > maxNameServers) {
    errors.push(invalid(`${path}.nameservers`, nameservers, `must not have more than ${maxNameServers} nameservers`));
  }
  if (searches.length > maxSearchPaths) {
    errors.push(invalid(`${path}.searches`, searches, `must not have more than ${maxSearchPaths} search paths`));
  }
  if (searches.join(' ').length > maxSearchCharacters) {
    const text = `must not have more than ${maxSearchCharacters} characters (including spaces) in the search list`;
    errors.push(invalid(`${path}.searches`, searches, text));
  }
  return [
    ...errors,
    ...eachOf(nameservers, `${path}.nameservers`, ipErrors),
    ...eachOf(searches, `${path}.searches`, (search, at) =>
      search === '.' ? [] : invalids(at, search, isUnderscoredSubdomain(search.replace(/\.$/, ''))),
    ),
    ...eachOf(options, `${path}.options`, (option, at) => (option.name ? [] : [required(at, 'must not be empty')])),
  ];
}
