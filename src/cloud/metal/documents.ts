/** The documents of a text of YAML. */
import { parseAllDocuments } from 'yaml';

/** Throws what is wrong with the first that is none. */
export function documentsOf(text: string): unknown[] {
  const documents = parseAllDocuments(text);
  return [...documents].map((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return document.toJS() as unknown;
  });
}
