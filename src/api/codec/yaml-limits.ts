/** Measures YAML by the tokens that its parser would be given, before anything is built of them. */
import { Lexer } from 'yaml';
import { bodyLimits, LimitError, tooDeep } from './limits.ts';

/**
 * An entry `key: value` has seven. The parser needs some 2 µs for each, a hundred times what JSON costs; who has more to say says
 * it in JSON, as kubectl does.
 */
const maxTokens = 300_000;
/** Tags and anchors. The parser compares those of one value with each other. */
const maxProperties = 2000;

/** Throws LimitError. */
export function measureYaml(text: string): void {
  const measure = new Measure();
  for (const token of new Lexer().lex(text)) if (measure.depthAt(token) > bodyLimits.depth) throw tooDeep(bodyLimits);
}

/** What has been seen of a text, token by token. */
class Measure {
  #tokens = 0;
  #properties = 0;
  #flow = 0;
  #column = 0;

  /** How deep the token stands. Throws LimitError when there are too many. */
  depthAt(token: string): number {
    const first = token.charCodeAt(0);
    this.#count(first);
    // A document, a scalar or the end of a flow is announced by a control character that has no place in the text.
    if (first === 0x02 || first === 0x1f || first === 0x18) return 0;
    const end = token.lastIndexOf('\n');
    this.#column = end < 0 ? this.#column + token.length : token.length - end - 1;
    // A block within a block stands to the right of it, or begins with a dash of its own.
    const opensBlock = token === '-' || token === '?' || (first === 0x20 && this.#column === token.length);
    return this.#flow + (opensBlock ? this.#column : 0);
  }

  #count(first: number): void {
    if (++this.#tokens > maxTokens) throw new LimitError(`has too many values: more than ${maxTokens} tokens of YAML`);
    if (first === 0x5b || first === 0x7b) this.#flow++;
    else if (first === 0x5d || first === 0x7d) this.#flow--;
    else if ((first === 0x21 || first === 0x26) && ++this.#properties > maxProperties) {
      throw new LimitError(`has too many tags and anchors: more than ${maxProperties}`);
    }
  }
}
