/**
 * The files of instances: `<state>/instances/<id>/` with the agent's log and, as links into the volumes' folders, the root
 * disk (`spot-agent`, the agent's home) and each data disk (`volumes/xvdf` of /dev/xvdf). A disk that goes with its
 * instance takes its link's place, so an ended instance's files can be read until it is forgotten.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { Device, Volume } from '../books/entities';
import type { DiskFiles } from '../storage/disk-files';
import { folderOfDevice, ROOT_DEVICE } from '../storage/disks';
import { exists } from '../storage/folders';

export class InstanceFiles {
  constructor(
    private readonly stateFolder: string,
    readonly disks: DiskFiles,
  ) {}

  instanceFolder(instanceId: string): string {
    return path.join(this.stateFolder, 'instances', instanceId);
  }

  /** Of all that have a folder, forgotten ones too. */
  instanceIds(): string[] {
    const folder = path.join(this.stateFolder, 'instances');
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  agentHome(instanceId: string): string {
    return path.join(this.instanceFolder(instanceId), 'spot-agent');
  }

  /**
   * Makes the links what is attached.
   * @throws Error when a disk holds nothing that should.
   */
  async mount(instanceId: string, volumes: readonly Volume[]): Promise<void> {
    const mounted = new Set<string>();
    await mkdir(path.join(this.instanceFolder(instanceId), 'volumes'), { recursive: true });
    for (const volume of volumes) {
      const link = this.#linkOf(instanceId, volume.attachment?.device ?? ROOT_DEVICE);
      await pointTo(link, await this.disks.volumeReady(volume));
      mounted.add(link);
    }
    for (const link of await this.#links(instanceId)) {
      if (!mounted.has(link)) await rm(link, { force: true });
    }
  }

  /** Takes the disks of an instance that has ended: what `isKept` stays a volume, the rest is the instance's. */
  async unmount(
    instanceId: string,
    devices: readonly Device[],
    isKept: (volumeId: string) => boolean,
  ): Promise<void> {
    const wasBooted = await exists(this.instanceFolder(instanceId));
    for (const { name, volumeId } of devices) {
      const link = this.#linkOf(instanceId, name);
      if (isKept(volumeId)) {
        await rm(link, { force: true });
      } else if (!wasBooted) {
        await this.disks.dropVolume(volumeId);
      } else if (await exists(this.disks.volumeFolder(volumeId))) {
        await rm(link, { force: true });
        await this.disks.moveVolume(volumeId, link);
      }
    }
  }

  async forget(instanceId: string): Promise<void> {
    await rm(this.instanceFolder(instanceId), { recursive: true, force: true });
  }

  #linkOf(instanceId: string, device: string): string {
    if (device === ROOT_DEVICE) return this.agentHome(instanceId);
    return path.join(this.instanceFolder(instanceId), 'volumes', folderOfDevice(device));
  }

  async #links(instanceId: string): Promise<string[]> {
    const folder = path.join(this.instanceFolder(instanceId), 'volumes');
    return [this.agentHome(instanceId), ...(await readdir(folder)).map((name) => path.join(folder, name))];
  }
}

async function pointTo(link: string, folder: string): Promise<void> {
  const target = path.relative(path.dirname(link), folder);
  if ((await exists(link)) && (await readlink(link)) === target) return;
  const fresh = `${link}.new`;
  await rm(fresh, { force: true });
  await symlink(target, fresh);
  await rename(fresh, link);
}
