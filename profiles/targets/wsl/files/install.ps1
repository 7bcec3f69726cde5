#Requires -Version 5.1
# Installs a distribution in WSL 2 and carries out the plan of aitk in it: «machine.system|comment».
# Run it again after whatever stopped it: it goes on. Nothing of yours is written over.
param([string] $Distribution = «guest.wsl»)
$ErrorActionPreference = 'Stop'
# Without it wsl.exe writes UTF-16, which no comparison understands.
$env:WSL_UTF8 = '1'

function Invoke-Wsl {
    & wsl.exe @args
    if ($LASTEXITCODE -ne 0) { throw "this has failed: wsl $args" }
}

function Test-Installed { @(& wsl.exe --list --quiet) -contains $Distribution }

$config = Join-Path $env:USERPROFILE '.wslconfig'
if (Test-Path -LiteralPath $config) {
    Write-Host "$config stays as it is; compare it with the one beside this script."
}
else {
    Copy-Item -LiteralPath (Join-Path $PSScriptRoot '.wslconfig') -Destination $config
    Write-Host "$config holds from the next start of WSL on: wsl --shutdown ends what runs in it now."
}

if (-not (Test-Installed)) {
    Write-Host 'Choose a name and a password for Linux when you are asked, then type: exit'
    Invoke-Wsl --install --distribution $Distribution
    if (-not (Test-Installed)) { throw 'restart Windows, then run this again' }
}

& wsl.exe --distribution $Distribution --user root --exec grep --quiet --no-messages systemd=true /etc/wsl.conf
if ($LASTEXITCODE -ne 0) {
    Invoke-Wsl --distribution $Distribution --user root --cd $PSScriptRoot --exec dd if=wsl.conf of=/etc/wsl.conf oflag=append conv=notrunc status=none
    Invoke-Wsl --terminate $Distribution
}

Invoke-Wsl --distribution $Distribution --cd $PSScriptRoot --exec bash ./aitk.sh
