/** The user's browser, started with a link; no shell sees it. */
import { spawn } from 'node:child_process';
import { withoutSecrets } from './environment.ts';

/** What each system opens links with. */
const OPENERS: Readonly<Record<string, readonly string[]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** Whether something was started; what becomes of it is the browser's affair. */
export function openInBrowser(url: string): Promise<boolean> {
  const [command = '', ...words] = OPENERS[process.platform] ?? ['xdg-open'];
  return new Promise((resolve) => {
    const child = spawn(command, [...words, url], {
      stdio: 'ignore',
      detached: true,
      env: withoutSecrets(process.env),
    });
    child.on('error', () => resolve(false));
    child.on('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}
