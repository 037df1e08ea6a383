import { crc32 } from 'node:zlib';

/** The code of a Lambda function as CreateFunction wants it: a ZIP archive with one uncompressed file. */
export function lambdaZip(source: string, fileName = 'index.mjs'): Buffer {
  const data = Buffer.from(source);
  const name = Buffer.from(fileName);
  const versionNeeded = 20;
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04_03_4b_50, 0);
  local.writeUInt16LE(versionNeeded, 4);
  local.writeUInt32LE(crc32(data), 14);
  local.writeUInt32LE(data.length, 18);
  local.writeUInt32LE(data.length, 22);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02_01_4b_50, 0);
  // Made on Unix, so that the mode below counts: a regular file that everybody may read.
  central.writeUInt16LE(0x03_14, 4);
  local.copy(central, 6, 4, 30);
  central.writeUInt32LE(0o100_644 * 65_536, 38);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06_05_4b_50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length + name.length, 12);
  end.writeUInt32LE(local.length + name.length + data.length, 16);
  return Buffer.concat([local, name, data, central, name, end]);
}
