import { renameSync, writeFileSync } from 'node:fs';

/** Gives a file new content so that whoever reads it, after a crash too, finds the old or the new one and nothing between. */
export function replaceFile(file: string, content: Uint8Array): void {
  const temporary = `${file}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, file);
}
