/** Where a webhook is called: of admission webhooks, and of the conversion of custom resources. */
import { type FieldError, invalid, invalids, required } from './field-error.ts';
import { isDns1123Subdomain } from './names.ts';

export interface WebhookClient {
  readonly url?: string | undefined;
  readonly service?: WebhookService | undefined;
}

export interface WebhookService {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly path?: string | undefined;
  readonly port?: number | undefined;
}

/** `path` is that of the client configuration. */
export function webhookClientErrors({ url, service }: WebhookClient, path: string): FieldError[] {
  if ((url === undefined) === (service === undefined)) return [required(path, 'exactly one of url or service is required')];
  return url === undefined ? serviceErrors(service ?? {}, `${path}.service`) : urlErrors(url, `${path}.url`);
}

const form = '; desired format: https://host[/path]';

function urlErrors(url: string, path: string): FieldError[] {
  const parts = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/(?:([^/?#@]*)@)?([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/iu.exec(url);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (!parts || /[\u0000-\u001f\u007f]/.test(url)) {
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(url)}: net/url: invalid control character in URL${form}`)];
  }
  const [, scheme = '', user, host = '', query = '', fragment = ''] = parts;
  return [
    ...(scheme.toLowerCase() === 'https' ? [] : [invalid(path, scheme, `'https' is the only allowed URL scheme${form}`)]),
    ...(host ? [] : [invalid(path, host, `host must be specified${form}`)]),
    ...(user === undefined ? [] : [invalid(path, user, 'user information is not permitted in the URL')]),
    ...(fragment ? [invalid(path, fragment, 'fragments are not permitted in the URL')] : []),
    ...(query ? [invalid(path, query, 'query parameters are not permitted in the URL')] : []),
  ];
}

function serviceErrors({ namespace, name, path: urlPath, port = 443 }: WebhookService, path: string): FieldError[] {
  return [
    // Upstream has the two the wrong way round: clients match on its answers.
    ...(namespace ? [] : [required(`${path}.name`)]),
    ...(name ? [] : [required(`${path}.namespace`)]),
    ...(port >= 1 && port <= 65_535 ? [] : [invalid(`${path}.port`, port, 'port is not valid: must be between 1 and 65535, inclusive')]),
    ...(urlPath === undefined ? [] : urlPathErrors(urlPath, `${path}.path`)),
  ];
}

function urlPathErrors(urlPath: string, path: string): FieldError[] {
  if (urlPath === '' || urlPath === '/') return [];
  if (urlPath === '//') return [invalid(path, urlPath, 'segment[0] may not be empty')];
  const steps = urlPath.slice(1).replace(/\/$/, '').split('/');
  return [
    ...(urlPath.startsWith('/') ? [] : [invalid(path, urlPath, "must start with a '/'")]),
    ...steps.flatMap((step, i) => {
      const wrong = step === '' ? ['may not be empty'] : isDns1123Subdomain(step);
      return invalids(
        path,
        urlPath,
        wrong.map((why) => `segment[${i}]${step === '' ? '' : ':'} ${why}`),
      );
    }),
  ];
}
