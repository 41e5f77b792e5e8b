/** What was given as a URL, whether or not it is one, as a message may show it. */
export function withoutPassword(text: string): string {
  return text.replace(/^((?:[^/?#:]*:\/\/)?[^/?#:@]*):[^/?#]*@/, '$1:***@');
}
