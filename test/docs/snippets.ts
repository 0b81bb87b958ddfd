import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository: string = fileURLToPath(new URL('../../', import.meta.url));

/** A block of code in a page. */
export interface Snippet {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** The blocks of code in README and docs; a block marked `generated` is shown, not run. */
export function snippets(): Snippet[] {
  const pages = globSync(['README.md', 'docs/*.md', 'docs/guide/**/*.md', 'docs/decisions/**/*.md'], {
    cwd: repository,
  });
  return pages.sort().flatMap((page) => snippetsOf(page, readFileSync(join(repository, page), 'utf8')));
}

/** The blocks of code of one page. */
export function snippetsOf(page: string, text: string): Snippet[] {
  return [...text.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```/gm)]
    .filter(([, , info = '']) => !info.includes('generated'))
    .map((match) => ({
      page,
      line: text.slice(0, match.index).split('\n').length,
      language: match[1] ?? '',
      code: match[3] ?? '',
    }));
}
