/** The formats of texts that schemas may name, as k8s.io/kube-openapi/pkg/validation/strfmt reads them. Others are ignored, as upstream. */
import { isIp, parseCidr } from '../../ip/ip.ts';
import { isDns1123Label, isDns1123Subdomain } from '../validation/names.ts';

const uuid = (version: string, variant: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i');
const any = '[0-9a-f]';
const uuids = [uuid(any, any), uuid('3', any), uuid('4', '[89ab]'), uuid('5', '[89ab]')] as const;
const day = '\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])';
const date = new RegExp(`^${day}$`);
const dateTime = new RegExp(`^${day}[Tt]([01]\\d|2[0-3]):[0-5]\\d:([0-5]\\d|60)(\\.\\d+)?([Zz]|[+-]\\d{2}:\\d{2})$`);
const duration = /^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*$|^0$/;
const spokenDuration =
  /^\s*-?\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d|w|(nano|micro|milli)?s(ec(ond)?)?s?|min(ute)?s?|hr?s?|hours?|days?|weeks?|wks?)\s*$/;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const mac = /^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}(([:-][0-9A-Fa-f]{2}){2})?$|^[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2}$/;
const hostname = /^([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*\.?$/;
const email = /^[^\s@<>(),;:"[\]\\]+@[^\s@<>(),;:"[\]\\]+$/;

function isUri(text: string): boolean {
  return text.startsWith('/') || /^[A-Za-z][-A-Za-z0-9+.]*:\S+$/.test(text);
}

/** By their names without dashes. */
const formats: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: (text) => /^[0-9a-fA-F]{24}$/.test(text),
  uri: isUri,
  email: (text) => email.test(text),
  hostname: (text) => text.length <= 255 && hostname.test(text),
  ipv4: (text) => isIp(text) && text.includes('.'),
  ipv6: (text) => isIp(text) && text.includes(':'),
  cidr: (text) => parseCidr(text) !== undefined,
  mac: (text) => mac.test(text),
  uuid: (text) => uuids[0].test(text),
  uuid3: (text) => uuids[1].test(text),
  uuid4: (text) => uuids[2].test(text),
  uuid5: (text) => uuids[3].test(text),
  hexcolor: (text) => /^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text),
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  byte: (text) => base64.test(text),
  password: () => true,
  date: (text) => date.test(text),
  datetime: (text) => dateTime.test(text),
  duration: (text) => duration.test(text) || spokenDuration.test(text),
  k8sshortname: (text) => isDns1123Label(text).length === 0,
  k8slongname: (text) => isDns1123Subdomain(text).length === 0,
};

/** Formats that upstream looks at and that are not looked at here. */
const passed: ReadonlySet<string> = new Set(['isbn', 'isbn10', 'isbn13', 'creditcard', 'rgbcolor']);

const ofNumbers: Readonly<Record<string, readonly string[]>> = { integer: ['int32', 'int64'], number: ['float', 'double'] };

/** Whether a schema of the type may say so; who says another one is warned. */
export function knowsFormat(type: string, format: string): boolean {
  const name = format.replaceAll('-', '');
  if (type === '' || type === 'string') return Object.hasOwn(formats, name) || passed.has(name);
  return ofNumbers[type]?.includes(format) ?? false;
}

export function hasFormat(text: string, format: string): boolean {
  const name = format.replaceAll('-', '');
  return !Object.hasOwn(formats, name) || formats[name]?.(text) === true;
}
