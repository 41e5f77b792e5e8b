/**
 * The names of a certificate's subject, out of the text that OpenSSL makes of it for `X509Certificate.subject`: a line for each, several of one
 * set in one line with " + " between them. Inside a value a plus sign always has a backslash before it (RFC 2253), and a control character is a
 * backslash and two hexadecimal digits, so neither can be taken for a separator.
 */
export interface SubjectName {
  /** `CN`, `O`, or what OpenSSL calls it. */
  readonly type: string;
  readonly value: string;
}

export function namesOf(subject: string | undefined): SubjectName[] {
  return (subject ?? '').split('\n').flatMap((line) => line.split(' + ').map(nameOf));
}

function nameOf(text: string): SubjectName {
  const equals = text.indexOf('=');
  return { type: text.slice(0, equals), value: text.includes('\\') ? unescaped(text.slice(equals + 1)) : text.slice(equals + 1) };
}

function unescaped(value: string): string {
  return value.replaceAll(/\\([0-9A-F]{2}|.)/gs, (_, escaped: string) =>
    escaped.length === 2 ? String.fromCharCode(Number.parseInt(escaped, 16)) : escaped,
  );
}
