import { describe, expect, test } from 'vitest';
import { judgeAddress, judgeAddresses } from '../../../src/targets/address-policy.ts';

const cluster = { allowLoopback: false };
const laptop = { allowLoopback: true };

describe('addresses that a target may not have', () => {
  test.each([
    { address: '169.254.169.254', why: 'instance metadata of AWS, Azure, Google and others' },
    { address: '169.254.170.2', why: 'credentials of ECS tasks' },
    { address: '169.254.170.23', why: 'credentials of EKS Pod Identity' },
    { address: '169.254.0.1', why: 'any other link-local address' },
    { address: 'fe80::1', why: 'link-local, IPv6' },
    { address: 'fe80::1%eth0', why: 'a zone changes nothing' },
    { address: 'febf:ffff::1', why: 'the end of the link-local range' },
    { address: 'fec0::1', why: 'site-local, withdrawn' },
    { address: 'fd00:ec2::254', why: 'instance metadata of AWS over IPv6' },
    { address: 'fd00:ec2::23', why: 'EKS Pod Identity over IPv6' },
    { address: 'fd20:ce::254', why: 'instance metadata of Google over IPv6' },
    { address: '100.100.100.200', why: 'instance metadata of Alibaba Cloud' },
    { address: '168.63.129.16', why: 'the host agent of Azure' },
    { address: '192.0.0.192', why: 'instance metadata of Oracle Cloud, in a reserved range' },
    { address: '0.0.0.0', why: 'unspecified: the own machine' },
    { address: '0.1.2.3', why: 'this network' },
    { address: '::', why: 'unspecified, IPv6' },
    { address: '224.0.0.1', why: 'multicast' },
    { address: '239.255.255.250', why: 'multicast, the end of the range' },
    { address: 'ff02::1', why: 'multicast, IPv6' },
    { address: '255.255.255.255', why: 'broadcast' },
    { address: '240.0.0.1', why: 'reserved' },
    { address: '100::1', why: 'discard-only' },
    { address: '::ffff:169.254.169.254', why: 'metadata, mapped' },
    { address: '::ffff:a9fe:a9fe', why: 'metadata, mapped, in hexadecimal' },
    { address: '0:0:0:0:0:ffff:a9fe:a9fe', why: 'metadata, mapped, written out' },
    { address: '::ffff:0:169.254.169.254', why: 'metadata, translated' },
    { address: '::169.254.169.254', why: 'metadata, IPv4-compatible' },
    { address: '2002:a9fe:a9fe::1', why: 'metadata by 6to4' },
    { address: '64:ff9b::169.254.169.254', why: 'metadata by NAT64' },
    { address: '64:ff9b:1::a9fe:a9fe', why: 'a local NAT64 prefix hides its target' },
    { address: '2001:0:a9fe:a9fe::1', why: 'metadata as a Teredo server' },
    { address: '2001:0:808:808:0:0:5601:5601', why: 'metadata as a Teredo client, inverted' },
    { address: '2001:db8::5efe:169.254.169.254', why: 'metadata by ISATAP' },
    { address: '2001:db8::200:5efe:a9fe:a9fe', why: 'metadata by ISATAP with the universal bit' },
    { address: 'example.com', why: 'a name is no address' },
    { address: '', why: 'nothing is no address' },
    { address: '127.1', why: 'a short form is no address; resolvers and URLs write it out' },
  ])('refuses $address everywhere: $why', ({ address }) => {
    expect(judgeAddress(address, cluster).kind).toBe('refused');
    expect(judgeAddress(address, laptop).kind).toBe('refused');
  });

  test.each([
    { address: '127.0.0.1', why: 'the own machine' },
    { address: '127.8.9.10', why: 'the whole range is loopback' },
    { address: '::1', why: 'the own machine, IPv6' },
    { address: '::ffff:127.0.0.1', why: 'mapped' },
    { address: '::ffff:7f00:1', why: 'mapped, in hexadecimal' },
    { address: '64:ff9b::7f00:1', why: 'by NAT64' },
    { address: '2002:7f00:1::', why: 'by 6to4' },
  ])('refuses $address in a cluster and allows it on the own machine: $why', ({ address }) => {
    expect(judgeAddress(address, cluster).kind).toBe('refused');
    expect(judgeAddress(address, laptop).kind).toBe('allowed');
  });

  test.each([
    { address: '10.0.0.1', why: 'pods and private networks' },
    { address: '172.16.3.4', why: 'private' },
    { address: '192.168.1.1', why: 'private' },
    { address: '100.64.0.9', why: 'pods of clusters with carrier-grade ranges' },
    { address: '198.51.100.7', why: 'public, as far as anybody can tell' },
    { address: '169.253.255.255', why: 'just below link-local' },
    { address: '169.255.0.0', why: 'just above link-local' },
    { address: '223.255.255.255', why: 'just below multicast' },
    { address: '128.0.0.1', why: 'just above loopback' },
    { address: '2600:1f18::1', why: 'public, IPv6' },
    { address: 'fd12:3456::1', why: 'private, IPv6' },
    { address: '::ffff:10.0.0.1', why: 'a mapped address that is fine' },
    { address: '64:ff9b::808:808', why: 'a public address by NAT64' },
  ])('allows $address: $why', ({ address }) => {
    expect(judgeAddress(address, cluster).kind).toBe('allowed');
  });
});

describe('the addresses of one name', () => {
  test('one bad address refuses the name, wherever it stands', () => {
    expect(judgeAddresses(['10.0.0.1', '169.254.169.254'], cluster)).toEqual({
      kind: 'refused',
      why: 'a link-local or metadata address (169.254.169.254)',
    });
    expect(judgeAddresses(['::1', '10.0.0.1'], cluster).kind).toBe('refused');
  });

  test('a name without an address is refused', () => {
    expect(judgeAddresses([], laptop).kind).toBe('refused');
  });

  test('a name with good addresses alone is allowed', () => {
    expect(judgeAddresses(['10.0.0.1', '2600:1f18::1'], cluster).kind).toBe('allowed');
  });
});
