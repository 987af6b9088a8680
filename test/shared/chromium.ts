import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What a headless browser with an empty profile makes of a page, on a device that is set to light or dark. */
export async function chromium(
  folder: string,
  scheme: 'dark' | 'light',
  url: string,
  ...more: string[]
): Promise<string> {
  const { stdout } = await promisify(execFile)(
    'chromium',
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      `--user-data-dir=${join(folder, `profile-${scheme}`)}`,
      `--blink-settings=preferredColorScheme=${scheme === 'dark' ? 0 : 1}`,
      ...more,
      url,
    ],
    { timeout: 60_000, maxBuffer: 10_000_000 },
  );
  return stdout;
}
