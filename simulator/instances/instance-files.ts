/** The files of instances and images: `<state>/instances/<id>/spot-agent`, `<state>/images/<id>/spot-agent`. */
import { cpSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

const COPY_ATTEMPTS = 5;

export class InstanceFiles {
  constructor(private readonly stateFolder: string) {}

  instanceFolder(instanceId: string): string {
    return path.join(this.stateFolder, 'instances', instanceId);
  }

  agentHome(instanceId: string): string {
    return path.join(this.instanceFolder(instanceId), 'spot-agent');
  }

  /** At an instance's first boot: its image's files, its maker's identity among them, or none. */
  prepare(instanceId: string, imageId: string): void {
    const home = this.agentHome(instanceId);
    if (existsSync(home)) return;
    mkdirSync(this.instanceFolder(instanceId), { recursive: true });
    const image = this.#imageHome(imageId);
    if (existsSync(image)) copyWhole(image, home);
    else mkdirSync(home);
  }

  /** What the instance's disk holds at this moment becomes the image's. */
  capture(instanceId: string, imageId: string): void {
    const home = this.agentHome(instanceId);
    const image = this.#imageHome(imageId);
    mkdirSync(path.dirname(image), { recursive: true });
    if (existsSync(home)) copyWhole(home, image);
    else mkdirSync(image);
  }

  forget(instanceId: string): void {
    rmSync(this.instanceFolder(instanceId), { recursive: true, force: true });
  }

  #imageHome(imageId: string): string {
    return path.join(this.stateFolder, 'images', imageId, 'spot-agent');
  }
}

/** The copy appears whole or not at all. A file that its living owner replaces meanwhile is copied anew. */
function copyWhole(from: string, to: string): void {
  const fresh = `${to}.new`;
  for (let attempt = 1; ; attempt++) {
    rmSync(fresh, { recursive: true, force: true });
    try {
      cpSync(from, fresh, { recursive: true, filter: (source) => isFileOrFolder(source) });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === COPY_ATTEMPTS) throw error;
    }
  }
  renameSync(fresh, to);
}

/** Sockets and pipes aren't on a disk image. */
function isFileOrFolder(source: string): boolean {
  const stat = lstatSync(source);
  return stat.isFile() || stat.isDirectory() || stat.isSymbolicLink();
}
