/** Programs that keep rules of their own on a host, by the names that `may_remove` takes. */
export const PROGRAM_NAMES = [
  'docker',
  'fail2ban',
  'kube-proxy',
  'libvirt',
  'calico',
  'cilium',
  'flannel',
  'weave',
  'cni',
  'podman',
  'nomad',
  'tailscale',
  'crowdsec',
  'sshguard',
] as const;

export type ProgramName = (typeof PROGRAM_NAMES)[number];
